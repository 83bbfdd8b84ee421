"""The labelled account: every principal's verdict, and the same verdicts when everything in it is called otherwise.

The verdicts stand in labelled.tsv under a hash of the ARN: no name of the account stands in this project.
"""
import codecs
import hashlib
import json
import re
import subprocess
import sys

sv0, dump, out = sys.argv[1:4]


def verdicts(path):
    run = subprocess.run([sv0, "assess", path, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    doc = json.loads(run.stdout)
    found = {}
    for f in doc["findings"]:
        k = f["subject"]["key"]["id"]
        if f["category"] == "privilege-escalation":
            assert k not in found, f"two findings for one subject: {k}"
            found[k] = f["state"]
            check_evidence(f)
        if f["rule"] == "unbounded-administrator":
            found.setdefault(k, "administrator")
    return found


def check_evidence(f):
    """The path names the statements that give the authority, and its records point into the input."""
    first = f["path"]["edges"][0]
    assert first["premises"] and first["records"], f["id"]
    for r in first["records"]:
        at = DOC
        for part in r["pointer"].strip("/").split("/"):
            at = at[int(part)] if isinstance(at, list) else at[part]
        assert at.get("Effect") == "Allow" and r["file_sha256"] == SHA, r


def load(path):
    global DOC, SHA
    raw = open(path, "rb").read()
    DOC, SHA = json.loads(raw), hashlib.sha256(raw).hexdigest()
    return DOC


def renamed(doc):
    """Every user, role, group, policy and profile under another name, prefixes and patterns alike."""
    turn = lambda s: codecs.encode(s, "rot13")
    keep = ("aws-service-role", "aws-reserved", "AWSReservedSSO")
    text = json.dumps(doc)
    arn = re.compile(r'(arn:[^:"]*:(?:iam|sts)::[^:"]*:(?:user|role|group|policy|instance-profile|assumed-role)/)([^"]*)')

    def sub(m):
        foreign = "iam::aws:" in m.group(1) or m.group(2).startswith(keep)
        return m.group(0) if foreign else m.group(1) + turn(m.group(2))

    doc = json.loads(arn.sub(sub, text))

    def names(x, of_aws=False):
        if isinstance(x, list):
            return [names(i, of_aws) for i in x]
        if not isinstance(x, dict):
            return x
        mine = any("iam::aws:" in str(x.get(k, "")) or any(p in str(x.get(k, "")) for p in keep) for k in ("Arn", "PolicyArn"))
        y = {}
        for k, v in x.items():
            if k in ("UserName", "RoleName", "GroupName", "PolicyName", "InstanceProfileName") and not mine:
                y[k] = turn(v)
            elif k == "GroupList":
                y[k] = [turn(g) for g in v]
            else:
                y[k] = names(v, mine)
        return y

    return names(doc), lambda a: arn.sub(sub, '"%s' % a)[1:]


doc = load(dump)
got = verdicts(dump)
everybody = [p["Arn"] for l in ("UserDetailList", "RoleDetailList") for p in doc[l]]
want = dict(line.split("\t") for line in open(__file__.replace(".py", ".tsv")).read().split("\n") if line)
short = lambda a: hashlib.sha256(a.encode()).hexdigest()[:16]
wrong = [(a, got.get(a, "none"), want[short(a)]) for a in everybody if got.get(a, "none") != want[short(a)]]
for w in wrong:
    print("wrong:", *w)
other, name = renamed(doc)
path = out + "/renamed.json"
json.dump(other, open(path, "w"))
load(path)
again = verdicts(path)
moved = {name(a): v for a, v in got.items()}
differ = [a for a in set(moved) | set(again) if moved.get(a) != again.get(a)]
for a in differ:
    print("changes with its name:", a, moved.get(a), again.get(a))
print(f"{len(everybody)} principals: {len(wrong)} wrong, {len(differ)} that change with their names")
sys.exit(bool(wrong or differ or len(everybody) != len(want)))
