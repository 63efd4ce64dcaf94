"""`petal serve` under load, beside FastAPI with ONNX Runtime: photos a second, and how long a request takes (p50, p99).

    pip install fastapi uvicorn onnxruntime pillow python-multipart numpy
    petal export --model MODEL --onnx flowers.onnx
    python scripts/measure_serve.py PETAL MODEL flowers.onnx FOLDER_OF_PHOTOS [--requests 400]

Both on this machine, one after the other, each asked by 1, 4 and 16 clients at once that send one photo a request over a kept connection,
the same photos in the same order. The clients take processor time, too, from both alike.
"""

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PEER = """
import io, json, sys
import numpy as np, onnxruntime, uvicorn
from fastapi import FastAPI, Request
from PIL import Image, ImageOps
network = onnxruntime.InferenceSession(sys.argv[1])
told = network.get_modelmeta().custom_metadata_map
classes, rule = json.loads(told["classes"]), json.loads(told["preprocess"])
app = FastAPI()

def predict(content):
    photo = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    wide = [int(side * rule["resize"] / min(photo.size)) for side in photo.size]
    left, top = (round((side - rule["size"]) / 2) for side in wide)
    square = (left, top, left + rule["size"], top + rule["size"])
    photo = photo.resize(wide, Image.Resampling[rule["filter"].upper()]).crop(square)
    (probabilities,) = network.run(["probabilities"], {"images": np.asarray(photo).transpose(2, 0, 1)[None]})
    best = int(probabilities[0].argmax())
    return {"class": classes[best], "probability": float(probabilities[0][best])}

@app.post("/predict")
async def answer(request: Request):
    from fastapi.concurrency import run_in_threadpool
    return await run_in_threadpool(predict, await request.body())

uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


def asked(port, photos, clients):
    """Seconds of each request, and of all; the classes that were answered."""
    seconds, classes, lock = [], {}, threading.Lock()
    left = iter(enumerate(photos))

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                number, photo = next(left, (None, None))
            if number is None:
                return connection.close()
            start = time.perf_counter()
            connection.request("POST", "/predict", photo, {"content-type": "application/octet-stream"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
            took = time.perf_counter() - start
            if answer.status != 200:
                raise SystemExit(f"{answer.status}: {told}")
            with lock:
                seconds.append(took)
                classes[number] = told["class"]

    threads = [threading.Thread(target=client) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(seconds), time.perf_counter() - start, classes


def wait_for(port):
    for _ in range(300):
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers at port {port}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("petal", "model", "onnx", "photos"):
        parser.add_argument(name)
    parser.add_argument("--requests", type=int, default=400)
    options = parser.parse_args()
    files = sorted(Path(options.photos).rglob("*.jpg"))
    photos = [files[i % len(files)].read_bytes() for i in range(options.requests)]
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder) / "peer.py"
        peer.write_text(PEER)
        said, classes = {}, {}
        for name in ("petal serve", "FastAPI + ONNX Runtime"):
            if name == "petal serve":
                command = [options.petal, "serve", "--model", options.model, "--port", "0", "--queue", "64"]
                service = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
                port = int(re.search(r"127\.0\.0\.1:(\d+)", service.stderr.readline())[1])
            else:
                port = 8765
                service = subprocess.Popen([sys.executable, str(peer), options.onnx, str(port)])
            try:
                wait_for(port)
                asked(port, photos[:32], 4)
                for clients in (1, 4, 16):
                    seconds, all_seconds, classes[name] = asked(port, photos, clients)
                    at = [1000 * seconds[int(share * (len(seconds) - 1))] for share in (0.5, 0.99)]
                    said[name, clients] = (len(seconds) / all_seconds, *at)
            finally:
                service.terminate()
                service.wait()
    print("| clients | service | photos a second | p50, ms | p99, ms |\n|---|---|---|---|---|")
    for (name, clients), (rate, p50, p99) in sorted(said.items(), key=lambda one: one[0][1]):
        print(f"| {clients} | {name} | {rate:.1f} | {p50:.1f} | {p99:.1f} |")
    first, second = classes.values()
    print(f"\nthe same class for {sum(first[n] == second[n] for n in first)} of {len(first)} photos")


main()
