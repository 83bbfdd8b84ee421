"""sv0 runner for ../shared/peers/bench.py: `R_SV0=$PWD/benches/peers/r_sv0.py bench.py sv0 …`.

Loading is `sv0 load`, questions go through `sv0 shell` in batch form: nothing is special for a query. SV0 names the
binary (default: target/release/sv0 of this checkout)."""
import json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SV0 = os.environ.get("SV0", os.path.join(ROOT, "target", "release", "sv0"))
sys.path.insert(0, os.environ.get("PEERS", os.path.join(os.path.dirname(ROOT), "shared", "peers")))
from common import ans, main  # noqa: E402


class R:
    NAME = "sv0"
    QUERIES = ["Q1"]

    def store(self):
        return os.path.join(self.db, "g.sv0")

    def load(self):
        os.makedirs(self.db, exist_ok=True)
        tables = os.path.join(self.data, "parquet")
        schema = os.path.join(HERE, "schema.toml")
        subprocess.run([SV0, "load", self.store(), tables, "--schema", schema, "--threads", str(self.threads)],
                       check=True, stdout=subprocess.DEVNULL)

    def open(self):
        env = dict(os.environ, RAYON_NUM_THREADS=str(self.threads))
        self.p = subprocess.Popen([SV0, "shell", self.store()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)

    def ask(self, query, **params):
        for k, v in params.items():
            self.p.stdin.write(f":param {k} = {json.dumps(v)}\n".encode())
        self.p.stdin.write(query.encode() + b"\n")
        self.p.stdin.flush()
        answer = json.loads(self.p.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"]["message"])
        return answer["rows"]

    def point(self, k):
        types = dict(idn="identity", aut="automation", con="connection", crd="credential", own="owner", rol="role",
                     prm="permission", res="resource", evd="execution_evidence")
        query = f"MATCH (n:{types[k[0][:3]]} {{id: $id}}) RETURN n.nid, n.name, n.system, n.status"
        return self.ask(query, id=k[0])[0]

    def run(self, name):
        if name == "Q1":
            return ans(len(self.params["q1"]), sum(self.point(k)[0] for k in self.params["q1"]))
        raise ValueError(name)


if __name__ == "__main__":
    main(R)
