"""Requests to an exported model, answered as TensorFlow Serving does: its JSON, and the messages of its own package.

No server runs here: `answer` and `answer_message` do to a request what the server's documentation says it does.
"""

import base64
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2

from data_loader import folders
from trainer.output.serving_requests import grpc_request, grpc_results, rest_request, rest_results

RECIPES = Path(__file__).parents[3] / "docs" / "recipes.md"


@pytest.fixture(scope="module")
def served(trained_run, exported):
    """signatures: of an export.  pixels, files: 64 renders, uint8 and bytes.  made: what generate makes of them."""
    renders, made = (sorted(path.rglob("*.png")) for path in (trained_run.data / "syn", exported / "out"))
    which = np.arange(64) % len(renders)
    return SimpleNamespace(
        signatures=tf.saved_model.load(exported / "model" / "1").signatures,
        pixels=np.stack([folders.decode(renders[i], 16) for i in which]),
        files=[renders[i].read_bytes() for i in which],
        made=np.stack([np.asarray(Image.open(made[i])) for i in which]).astype(int),
    )


def answer(signatures, body):
    """(status, body) of a POST: columns as the REST API describes them, an error where the model raises one."""
    request = json.loads(body)
    try:
        function = signatures[request["signature_name"]]
        given = {name: _tensor(values, function.structured_input_signature[1][name].dtype)
                 for name, values in request["inputs"].items()}  # fmt: skip
        results = {name: value.numpy() for name, value in function(**given).items()}
    except (tf.errors.OpError, TypeError, ValueError) as error:
        return 400, json.dumps({"error": str(error)}).encode()
    outputs = {name: [{"b64": base64.b64encode(file).decode()} for file in value] if name.endswith("_bytes")
               else value.tolist() for name, value in results.items()}  # fmt: skip
    return 200, json.dumps({"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}).encode()


def _tensor(values, dtype):
    return tf.constant([base64.b64decode(v["b64"]) for v in values] if dtype == tf.string else values, dtype)


def answer_message(signatures, data):
    """The server's bytes for the bytes of a request."""
    request = predict_pb2.PredictRequest.FromString(data)
    assert request.model_spec.name == "faces"
    function = signatures[request.model_spec.signature_name]
    given = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
    response = predict_pb2.PredictResponse()
    for name, value in function(**given).items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
    return response.SerializeToString()


def by_rest(served, signature, values):
    status, body = answer(served.signatures, rest_request(signature, images=values))
    assert status == 200
    return rest_results(body, "generated_bytes" if signature == "encoded" else "generated")


def by_grpc(served, signature, values):
    data = grpc_request("faces", signature, images=values).SerializeToString()
    return grpc_results(predict_pb2.PredictResponse.FromString(answer_message(served.signatures, data)))


@pytest.mark.parametrize("client", [by_rest, by_grpc])
@pytest.mark.parametrize("count", [1, 7, pytest.param(64, marks=pytest.mark.slow)])
def test_each_client_gets_the_pixels_of_generate(served, client, count):
    made, pixels = served.made[:count], served.pixels[:count]
    assert np.abs(client(served, "uint8", pixels)["generated"].astype(int) - made).max() <= 1
    floats = client(served, "serving_default", pixels.astype(np.float32) / 127.5 - 1)["generated"]
    assert np.abs((floats + 1) * 127.5 - made).max() < 1.001
    files = client(served, "encoded", served.files[:count])["generated_bytes"]
    shown = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in files])
    assert len(files) == count and np.abs(shown.astype(int) - made).max() <= 1
    scores = client(served, "scores", pixels.astype(np.float32) / 127.5 - 1)
    assert {name: values.shape for name, values in scores.items()} == {"d_score": (count,), "s_score": (count,)}


def test_the_client_of_the_recipes_gets_a_photograph(served, tmp_path, monkeypatch):
    (client,) = re.findall(r"^```python\n(.*?)^```", RECIPES.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "render.png").write_bytes(served.files[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("urllib.request.urlopen", lambda _, body: io.BytesIO(answer(served.signatures, body)[1]))
    exec(client, {})
    assert np.abs(np.asarray(Image.open("photograph.png")).astype(int) - served.made[0]).max() <= 1


@pytest.mark.parametrize(("signature", "values"), [
    ("uint8", np.zeros((1, 15, 16, 3), np.uint8)),
    ("uint8", [[["red"]]]),
    ("encoded", [b"no picture"]),
    ("encoded", [b""]),
])  # fmt: skip
def test_a_wrong_request_is_an_error_that_is_told(served, signature, values):
    status, body = answer(served.signatures, rest_request(signature, images=values))
    assert status == 400
    with pytest.raises(ValueError, match=r"\w+"):
        rest_results(body)


@pytest.mark.parametrize("outputs", [
    '[{"b64": "?"}]', '[{}]', '[{"b64": 5}]', '[{"b64": "AAAA"}, 3]', '[1, {"b64": "AAAA"}]', "5", "null", "true",
    '"x"', '["red"]', "[[1, 2], [3]]", '{"a": 5}', '{"a": null}', '{"a": {"b": [1]}}', "[" * 90 + "1" + "]" * 90,
    "[" * 100_000, "[" * 30_000 + "]" * 30_000, "[1e999, " + "1" * 400 + "]",
])  # fmt: skip
def test_outputs_that_are_none_are_refused(outputs):
    with pytest.raises(ValueError):
        rest_results(f'{{"outputs": {outputs}}}'.encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"predictions": [1]}', b"\xff", b'{"error": "sorry"}', b"5"])
def test_an_answer_that_is_none_is_refused(body):
    with pytest.raises(ValueError):
        rest_results(body)


def test_no_images_are_asked_for_and_answered(served):
    assert by_grpc(served, "encoded", []) == {"generated_bytes": []}
    assert by_rest(served, "encoded", []) == {"generated_bytes": []}
    assert by_grpc(served, "uint8", served.pixels[:0])["generated"].shape == (0, 16, 16, 3)
    assert rest_results(b'{"outputs": []}')["generated"].shape == (0,)
