"""Checks that a Python client generated from the OpenAPI document works against a running service.

    python3 scripts/check-python-client.py http://localhost:3000 [API key]

Installs openapi-python-client with pip into a temporary virtual environment, generates a client from
/openapi.json, and calls classify (form and JSON), images and search with it. The image that it adds is removed again.
Ends with an AssertionError where an answer is not what the document promises.
"""

import pathlib
import subprocess
import sys
import tempfile
import urllib.request
import venv

GENERATOR = "openapi-python-client==0.29.1"


def main(url: str, key: str = "") -> None:
    with tempfile.TemporaryDirectory(prefix="clip-python-client-") as name:
        folder = pathlib.Path(name)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / "bin"
        subprocess.run([programs / "pip", "install", "--quiet", GENERATOR], check=True)
        with urllib.request.urlopen(f"{url}/openapi.json") as response:
            (folder / "openapi.json").write_bytes(response.read())
        generate = [programs / "openapi-python-client", "generate", "--meta", "none"]
        subprocess.run(
            [*generate, "--path", "openapi.json", "--output-path", "clip_client"], cwd=folder, check=True
        )
        (folder / "calls.py").write_text(CALLS)
        subprocess.run([programs / "python", "calls.py", url, key], cwd=folder, check=True)


CALLS = '''
import base64, io, os, struct, sys, zlib
from clip_client import AuthenticatedClient, Client
from clip_client.api.classify import classify
from clip_client.api.images import image_file, image_get, image_list, image_remove, image_upload
from clip_client.api.search import search_by_image, search_by_text
from clip_client.models import (
    ClassifyFilesBody, ClassifyJsonBody, ClassifyJsonBodyParameters, ImageUploadBody, Problem, SearchByImageFilesBody,
)
from clip_client.types import File

url, key = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key) if key else Client(base_url=url)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# A red PNG that no other run makes: its last row is random.
side = 32
rows = [b"\\0" + bytes((255, 0, 0)) * side] * (side - 1) + [b"\\0" + os.urandom(3 * side)]
png = (
    b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")
)
tag = "python client " + os.urandom(4).hex()


def picture():
    return File(payload=io.BytesIO(png), file_name="red, square.png", mime_type="image/png")


labels = ["a red, plain square", "a photo of a dog"]
form = ClassifyFilesBody(image=picture(), labels=labels, background=False)
by_form = classify.sync(client=client, body=form)
assert sorted(one.label for one in by_form) == sorted(labels), by_form
assert abs(sum(one.score for one in by_form) - 1) < 1e-5, by_form

parameters = ClassifyJsonBodyParameters(candidate_labels=labels, multi_label=True, top_k=1)
json = ClassifyJsonBody(inputs=base64.b64encode(png).decode(), parameters=parameters)
by_json = classify.sync(client=client, body=json)
assert len(by_json) == 1 and by_json[0].label in labels, by_json

upload = ImageUploadBody(image=[picture()], captions=["one, two", "three"], tags=[tag, "red"])
[added] = image_upload.sync(client=client, body=upload).items
try:
    assert added.status == "created" and added.file_name == "red, square.png", added
    assert added.captions == ["one, two", "three"] and added.tags == [tag, "red"], added
    assert image_get.sync(added.id, client=client).caption == "one, two"
    assert any(one.id == added.id for one in image_list.sync(client=client, limit=100).items)
    assert image_file.sync_detailed(added.id, client=client).content.startswith(b"\\x89PNG")
    found = search_by_text.sync(client=client, q=["a red square"], tag=[tag, "red"], limit=5)
    assert [one.id for one in found.items] == [added.id], found
    body = SearchByImageFilesBody(image=picture())
    alike = search_by_image.sync(client=client, body=body, tag=[tag])
    assert [one.id for one in alike.items] == [added.id] and alike.items[0].score > 0.99, alike
    refused = search_by_text.sync(client=client, q=[""])
    assert isinstance(refused, Problem) and refused.code == "invalid_request", refused
finally:
    removed = image_remove.sync_detailed(added.id, client=client)
assert removed.status_code == 204, removed
print("the generated client works: classify (form, JSON), images, search (words, image)")
'''


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
