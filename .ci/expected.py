"""Every condition of the sample is found, and every healthy twin isn't; nothing beyond what is listed."""
import json
import sys

found = json.load(open(sys.argv[1]))["findings"]
want = json.load(open(sys.argv[2]))
pairs = lambda name: {(x["category"], x["subject"]) for x in want[name]}
got = {(f["category"], f["subject"]["key"]["source"] + ":" + f["subject"]["key"]["id"]) for f in found}
missing, wrong = pairs("found") - got, pairs("not_found") & got
extra = got - pairs("found") - pairs("may")
for name, s in (("missing", missing), ("a healthy twin", wrong), ("unlisted", extra)):
    for x in sorted(s):
        print(f"{name}: {x}")
print(f"{len(got)} pairs found: {len(missing)} missing, {len(wrong)} healthy twins, {len(extra)} unlisted")
sys.exit(bool(missing or wrong or extra))
