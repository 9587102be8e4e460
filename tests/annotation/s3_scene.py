"""A pool in a bucket of a real S3 server, in an environment of its own: moto and this project need different packages.

Prints the names that are found and whether each clip is fetched as it was put there.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import boto3  # pyright: ignore[reportMissingImports]
from moto.server import ThreadedMotoServer  # pyright: ignore[reportMissingImports]

from sgv_demo.annotation.inputs import at_hand, videos


def main(folder: Path) -> None:
    """`folder`: clips to put into the bucket."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    client: Any = boto3.client("s3")
    client.create_bucket(Bucket="pool")
    put: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*.mp4")):
        name = path.relative_to(folder).as_posix()
        put[name] = put[f"shard.tar/{name}"] = path.read_bytes()
        client.put_object(Bucket="pool", Key=f"clips/{name}", Body=put[name])
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for path in sorted(folder.rglob("*.mp4")):
            archive.add(path, path.relative_to(folder).as_posix())
    client.put_object(Bucket="pool", Key="clips/shard.tar", Body=(folder / "shard.tar").read_bytes())
    (folder / "shard.tar").unlink()
    client.put_object(Bucket="pool", Key="list.csv", Body=f"path\nclips/{next(iter(put))}\n".encode())
    found = list(videos("s3://pool/clips"))
    same = []
    for video in found:
        with at_hand(video, 1 << 30) as copy:
            same.append(copy.read_bytes() == put[video.name])
    listed = [video.name for video in videos("s3://pool/list.csv")]
    print(json.dumps({"names": [video.name for video in found], "same": same, "listed": listed}))
    server.stop()


main(Path(sys.argv[1]))
