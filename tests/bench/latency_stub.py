"""S3 and STS as far as a stack of buckets needs them, each answer after a set delay: shows how many requests a client keeps in the air, which
moto's one core hides. Not a model of AWS: it answers anybody and checks nothing.

usage: latency_stub.py MILLISECONDS     prints "listening on http://127.0.0.1:PORT"; ends when stdin ends
"""

import asyncio
import sys
import urllib.parse

IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:root</Arn>'
    "<UserId>123456789012</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
WITHOUT = {  # what S3 says when nothing was put
    "versioning": (200, "<VersioningConfiguration/>"),
    "encryption": (
        200,
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
        "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
    ),
}


def error(status, code):
    return status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"


class Stub:
    def __init__(self, delay):
        self.delay, self.things, self.running, self.most, self.requests = delay, {}, 0, 0, 0

    def answer(self, method, target, body):
        url = urllib.parse.urlsplit(target)
        bucket = url.path.strip("/")
        part = url.query.split("=")[0].split("&")[0]
        if not bucket:
            return 200, IDENTITY
        if method == "PUT":
            if part and (bucket, "") not in self.things:
                return error(404, "NoSuchBucket")
            self.things[bucket, part] = body
            return 200, ""
        if method == "DELETE":
            for key in [k for k in self.things if k[0] == bucket and part in ("", k[1])]:
                del self.things[key]
            return 204, ""
        if (bucket, "") not in self.things:
            return error(404, "NoSuchBucket")
        if (bucket, part) in self.things and part:
            return 200, self.things[bucket, part]
        return WITHOUT.get(part) or (error(404, "NoSuchConfiguration") if part else (200, ""))

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split(" ")
                length = 0
                while (header := (await reader.readline()).strip()) != b"":
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = (await reader.readexactly(length)).decode() if length else ""
                self.running, self.requests = self.running + 1, self.requests + 1
                self.most = max(self.most, self.running)
                await asyncio.sleep(self.delay)
                self.running -= 1
                status, text = self.answer(method, target, body)
                kind = "application/json" if text.startswith("{") else "application/xml"
                data = b"" if method == "HEAD" else text.encode()
                head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nx-amz-bucket-region: us-west-2\r\n\r\n"
                writer.write(head.encode() + data)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def main():
    stub = Stub(float(sys.argv[1]) / 1000)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, backlog=512)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(f"requests {stub.requests}, at most {stub.most} at a time", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
