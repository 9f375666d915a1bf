"""Run by the portal's own Python: everything that a Redis holds, as JSON lines of place and bytes in base64.

python redis_contents.py PORT
"""

import json
import sys
from base64 import b64encode

READ = {
    b"string": lambda client, key: [client.get(key)],
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: client.smembers(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
    b"hash": lambda client, key: [part for pair in client.hgetall(key).items() for part in pair],
    b"stream": lambda client, key: [p for _, entry in client.xrange(key) for pair in entry.items() for p in pair],
}


def values(port: int):
    """Place and value of each key, the key itself with them."""
    import redis  # of the portal's environment

    for number in range(16):
        client = redis.Redis(port=port, db=number)
        for key in client.scan_iter():
            where = f"db {number}: {key.decode(errors='replace')}"
            yield from ((where, value) for value in (key, *READ[client.type(key)](client, key)))


if __name__ == "__main__":
    for where, value in values(int(sys.argv[1])):
        sys.stdout.write(json.dumps([where, b64encode(value).decode()]) + "\n")
