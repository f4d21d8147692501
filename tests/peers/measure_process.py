"""Runs a command; prints its wall seconds and peak memory as JSON: measure_process.py COMMAND..."""
import json
import resource
import subprocess
import sys
import time

start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - start
if done.returncode != 0:
    sys.exit(done.stderr.decode()[-2000:])
print(json.dumps({"seconds": seconds, "peakBytes": 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}))
