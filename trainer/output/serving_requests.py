"""What a client sends to TensorFlow Serving, and what it gets back: JSON over HTTP, and messages of gRPC.

This file needs nothing else of this project, so that a client can take it along. An exported model (the job `export`)
has the signatures that docs/formats.md lists.

    POST http://HOST:8501/v1/models/NAME:predict     rest_request -> rest_results
    PredictionServiceStub(channel).Predict           grpc_request -> grpc_results
"""

import base64
import importlib.util
import json

import numpy as np


def rest_request(signature, **arguments):
    """The body of a POST.

    Args:
        signature: "serving_default", "uint8", "encoded" or "scores".
        arguments: {name: array, or a list of bytes of image files}, e.g. images=uint8 [n, s, s, 3]. An empty list is
            one of files where the signature is "encoded".

    Returns:
        bytes of JSON.
    """
    inputs = {name: [_in_json(value) for value in values] for name, values in arguments.items()}
    return json.dumps({"signature_name": signature, "inputs": inputs}).encode()


def rest_results(body, output="generated"):
    """What the body of an answer says.

    Args:
        body: bytes of JSON.
        output: name of the output where the signature has one, which the answer does not name.

    Returns:
        {output: np.ndarray, or a list of bytes where the output is image files}.

    Raises:
        ValueError: it is no answer, or tells an error, which is the text.
    """
    try:
        answer = json.loads(body)
    except RecursionError as error:
        raise ValueError("an answer of lists in lists without end") from error
    if not isinstance(answer, dict) or "outputs" not in answer:
        told = answer.get("error") if isinstance(answer, dict) else None
        raise ValueError(str(told or "not an answer of TensorFlow Serving to inputs in columns"))
    outputs = answer["outputs"]
    outputs = outputs if isinstance(outputs, dict) else {output: outputs}
    return {name: _of_json(name, values) for name, values in outputs.items()}


def grpc_request(model, signature, **arguments):
    """A tensorflow_serving.apis.predict_pb2.PredictRequest. Needs the packages tensorflow and tensorflow-serving-api.

    Args:
        model: its name in the server.
        signature, arguments: as rest_request's; arrays must have the signature's dtype.

    Raises:
        ImportError: tensorflow-serving-api is not installed.
    """
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ImportError("pip install tensorflow-serving-api: it has the messages of gRPC")
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, values in arguments.items():
        files = isinstance(values[0], bytes) if len(values) else signature == "encoded" and isinstance(values, list)
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, tf.string if files else None))
    return request


def grpc_results(response):
    """{output: np.ndarray, or a list of bytes where the output is image files} of a PredictResponse."""
    import tensorflow as tf

    arrays = {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
    return {name: list(array) if array.dtype == object else array for name, array in arrays.items()}


def _in_json(value):
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return np.asarray(value).tolist()


def _of_json(name, values):
    if not isinstance(values, list):
        raise ValueError(f"{name}: no list")
    files = isinstance(values[0], dict) if values else name.endswith("_bytes")  # by which the server knows them too
    if files:
        try:
            return [base64.b64decode(value["b64"], validate=True) for value in values]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{name}: no file in base64: {error!r}") from error
    try:
        array = np.asarray(values)  # of lists of several lengths a ValueError
    except OverflowError as error:
        raise ValueError(f"{name}: {error}") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: neither numbers nor files")
    return array
