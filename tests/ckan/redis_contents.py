"""Run by the portal's own Python: everything that a Redis holds, as JSON lines of place and bytes in base64.

python redis_contents.py PORT
"""

import json
import sys
from base64 import b64encode

import redis

READ = {
    b"string": lambda client, key: [client.get(key)],
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: client.smembers(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
    b"hash": lambda client, key: [part for pair in client.hgetall(key).items() for part in pair],
    b"stream": lambda client, key: [p for _, entry in client.xrange(key) for pair in entry.items() for p in pair],
}

for number in range(16):
    client = redis.Redis(port=int(sys.argv[1]), db=number)
    for key in client.scan_iter():
        for value in (key, *READ[client.type(key)](client, key)):
            found = [f"db {number}: {key.decode(errors='replace')}", b64encode(value).decode()]
            sys.stdout.write(json.dumps(found) + "\n")
