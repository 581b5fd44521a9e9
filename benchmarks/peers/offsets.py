"""Times ``offsets-db-data``'s processing of a VCU export. Runs in an environment of its own; prints one JSON line.

It parses no serial number. It wants its two quantity columns as text. Importing and reading the file are not timed.
"""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402 - after the warnings are silenced
from offsets_db_data.vcs import process_vcs_credits  # noqa: E402 - the same

frame = pd.read_csv(sys.argv[1], dtype={"Total Vintage Quantity": str, "Quantity Issued": str})
seconds = []
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    process_vcs_credits(frame, download_type="transactions", registry_name="verra", prefix="VCS")
    seconds.append(time.perf_counter() - began)
print(json.dumps({"rows": len(frame), "seconds": seconds}))
