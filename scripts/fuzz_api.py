"""Requests that openapi.json calls valid, sent to a real server: none may be refused, and no answer may differ from the document.

Uses Schemathesis (https://schemathesis.readthedocs.io) in a virtual environment in the cache. `make test-long` runs it. Without
PyPI it is skipped, and says so.

    python3 scripts/fuzz_api.py [--seed N] [--examples N]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

SCHEMATHESIS = "schemathesis==4.32.5"
ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,positive_data_acceptance"
START_WITHIN_S = 120
# What the document cannot say, because it depends on the store: vectors of its embedder, ids, cursors, confirmations.
OF_THE_STORE = {"vector", "sources", "links", "cursor", "confirmation", "if_version", "version"}
# What the document cannot say, because it depends on other fields: the order of two times, the document of a kind.
OF_OTHER_FIELDS = {"happened_until", "valid_to", "kind", "document", "statement"}
# Changes of the whole store that would take its time, and an owner that is named by exactly one id.
LEFT_OUT = {"/v1/admin/reindex", "/v1/admin/backup", "/v1/admin/backup/{id}/file", "/v1/owners/delete"}
REQUESTS = ("NewTurn", "NewMemory", "EditMemory", "RecallRequest", "ListMemories", "DeleteMatching", "UndoChange")


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("ENGRAIN_CACHE") or pathlib.Path(base) / "engrain")


def tool():
    """Path of the tool; None if it cannot be installed."""
    folder = cache() / "tools" / SCHEMATHESIS.replace("==", "@")
    program = folder / "bin" / "schemathesis"
    if not program.exists():
        made = subprocess.run([sys.executable, "-m", "venv", folder])
        install = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS]
        if made.returncode or subprocess.run(install).returncode:
            return None
    return program


def tried(document):
    """The document without what it cannot describe."""
    for name in REQUESTS:
        properties = document["components"]["schemas"][name]["properties"]
        for field in (OF_THE_STORE | OF_OTHER_FIELDS) & properties.keys():
            del properties[field]
    for path in LEFT_OUT:
        document["paths"].pop(path, None)
    for item in document["paths"].values():
        for operation in item.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [one for one in parameters if one["name"] not in OF_THE_STORE | {"Idempotency-Key"}]
    return document


def started(program, data):
    command = [program, "serve", "--listen", "127.0.0.1:0", "--embedder", "hashing", "--data-dir", data]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    announcement = pathlib.Path(data) / "server.json"
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        if announcement.exists():
            return server, json.loads(announcement.read_text())["url"]
        time.sleep(0.1)
    server.kill()
    sys.exit("the server did not start")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--examples", type=int, default=40)
    arguments.add_argument("--server", help="program, built with the feature `testing`; default: built now")
    given = arguments.parse_args()
    program = tool()
    if program is None:
        print("SKIPPED: the API is not tried against its document, because Schemathesis cannot be fetched from PyPI")
        return 0
    binary = given.server
    if binary is None:
        build = ["cargo", "build", "--locked", "--quiet", "-p", "engrain-server", "--all-features", "--bin", "engrain"]
        subprocess.run(build, cwd=ROOT, check=True)
        target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "target"
        binary = pathlib.Path(target) / "debug" / "engrain"
    with tempfile.TemporaryDirectory() as folder:
        server, url = started(binary, str(pathlib.Path(folder) / "data"))
        try:
            with urllib.request.urlopen(url + "/openapi.json") as answer:
                document = tried(json.load(answer))
            schema = pathlib.Path(folder) / "openapi.json"
            schema.write_text(json.dumps(document))
            command = [
                program, "run", schema, "--url", url, "--checks", CHECKS, "--mode", "positive", "--phases",
                "examples,fuzzing", "--max-examples", str(given.examples), "--seed", str(given.seed),
                "--generation-codec", "ascii", "--continue-on-failure", "--no-color",
            ]
            return subprocess.run(command, cwd=folder).returncode
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
