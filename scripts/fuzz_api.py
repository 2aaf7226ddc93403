"""Requests that openapi.json calls valid, sent to a real server: none may be refused, none may fail, and no answer may differ
from the document. Ends with status 1 and the list of what was found.

Uses Schemathesis (https://schemathesis.readthedocs.io) in a virtual environment in the cache. `make fuzz-api` runs it, and
`make test-long` with few examples. Without PyPI it is skipped, and says so.

    python3 scripts/fuzz_api.py [--seed N] [--examples N] [--server PROGRAM]
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
# Characters of an answer or a request that the list at the end shows.
SHOWN = 400
# What the document cannot say, because it depends on the store: vectors of its embedder, ids, cursors, confirmations.
OF_THE_STORE = {"vector", "sources", "links", "cursor", "confirmation", "if_version", "version"}
# What the document cannot say, because it depends on other fields: the order of two times, the document of a kind.
OF_OTHER_FIELDS = {"happened_until", "valid_to", "kind", "document", "statement"}
# Changes of the whole store that would take its time, an owner that is named by exactly one id, and records of an export, whose
# memories are described as in answers.
LEFT_OUT = {"/v1/import", "/v1/admin/reindex", "/v1/admin/backup", "/v1/admin/backup/{id}/file", "/v1/owners/delete"}
# What the document cannot say: the names of time zones that the server knows.
TIMEZONES = {"enum": [None, "UTC", "Asia/Shanghai", "America/St_Johns", "+08:00", "-03:30"]}
# What the document cannot say: values of metadata are any JSON, but without U+0000, and not deep.
STORED = "^[^\\u0000]*$"
SCALAR = {"type": ["null", "boolean", "number", "string"], "pattern": STORED}
KEYS = {"type": "string", "pattern": STORED, "maxLength": 64}
VALUES = {
    "anyOf": [
        SCALAR,
        {"type": "array", "items": SCALAR, "maxItems": 8},
        {"type": "object", "propertyNames": KEYS, "additionalProperties": SCALAR, "maxProperties": 8},
    ]
}
# Most bytes of a character, times its growth in Unicode form NFC.
BYTES_OF_A_CHARACTER = 4 * 3
# Of the characters that show nothing those beyond U+FFFF (see server/src/openapi/patterns.rs).
INVISIBLE = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
REQUESTS = ("NewTurn", "NewMemory", "EditMemory", "RecallRequest", "ListMemories", "DeleteMatching", "UndoChange", "SetTimezone")


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
        if "timezone" in properties:
            properties["timezone"] = TIMEZONES
        if "metadata" in properties:
            properties["metadata"] |= {"propertyNames": KEYS, "additionalProperties": VALUES, "maxProperties": 8}
    shorten(document)
    for path in LEFT_OUT:
        document["paths"].pop(path, None)
    for path, item in document["paths"].items():
        for operation in item.values():
            parameters = operation.get("parameters", [])
            parameters = [one for one in parameters if one["name"] not in OF_THE_STORE | {"Idempotency-Key"}]
            # What the document cannot say of a query string: one of the ids of a scope is required.
            if path != "/v1/export":
                for one in parameters:
                    one["required"] = one.get("required", False) or one["name"] == "user_id"
            operation["parameters"] = parameters
    return document


def found(report):
    """Lines of what a run found: operation, kind of the finding, answer, request."""
    lines, operation = [], ""
    for line in report.splitlines():
        if line.startswith("____"):
            operation = line.strip("_ ")
        elif line.startswith("- ") and operation:
            lines.append(f"{operation}: {line[2:]}")
        elif line.startswith("    `{") or line.startswith("    curl "):
            lines.append("    " + line.strip()[:SHOWN])
        elif line.startswith("===") and "FAILURES" not in line:
            operation = ""
    return lines


def shorten(part):
    """Bounds of bytes in characters of any alphabet, and patterns with the invisible characters that have no common escape."""
    for one in part.values() if isinstance(part, dict) else part:
        if isinstance(one, (dict, list)):
            shorten(one)
    if isinstance(part, dict):
        if isinstance(part.get("maxLength"), int) and part.get("type") != "integer":
            part["maxLength"] = max(part.get("minLength", 1), part["maxLength"] // BYTES_OF_A_CHARACTER)
        if isinstance(part.get("pattern"), str):
            part["pattern"] = part["pattern"].replace(r"\ufff0-\ufff8", r"\ufff0-\ufff8" + INVISIBLE)


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
                "--generation-codec", "utf-8", "--continue-on-failure", "--no-color",
            ]
            run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
            if run.returncode == 0:
                print(f"fuzz-api: no valid request was refused (seed {given.seed}, {given.examples} examples an operation)")
                return 0
            print(run.stdout)
            print(f"fuzz-api: FAILED with seed {given.seed}; what differs from the document:")
            print("\n".join(found(run.stdout)) or "see above")
            return 1
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
