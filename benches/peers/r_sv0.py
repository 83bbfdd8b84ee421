"""sv0 runner for ../shared/peers/bench.py: `R_SV0=$PWD/benches/peers/r_sv0.py bench.py sv0 …`.

Loading is `sv0 load`, questions go through `sv0 shell` in batch form: nothing is special for a query. SV0 names the
binary (default: target/release/sv0 of this checkout)."""
import datetime, json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SV0 = os.environ.get("SV0", os.path.join(ROOT, "target", "release", "sv0"))
sys.path.insert(0, os.environ.get("PEERS", os.path.join(os.path.dirname(ROOT), "shared", "peers")))
from common import AUTH, ans, main  # noqa: E402

A = "|".join(AUTH)
HIGH = "WHERE r.sensitivity = 'high'"
REGULAR = ("-[:member_of]->*()-[:has_role]->(:role)-[:can_assume]->*(:role)-[:grants]->(:permission)"
           f"-[:applies_to]->(r:resource {HIGH})")


class R:
    NAME = "sv0"
    QUERIES = "Q1 Q2 Q3 Q3u Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11a Q11b Q12 Q13a Q13b".split()

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
        self.p = subprocess.Popen([SV0, "shell", self.store(), "--timeout", "60s", "--memory", "4G"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)

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

    def each(self, query, params):
        """A call for each; the sums of the two columns."""
        rows = [self.ask(query, **p)[0] for p in params]
        return ans(sum(r[0] for r in rows), sum(r[1] or 0 for r in rows))

    def run(self, name):
        P = self.params
        ids = [dict(id=k[0]) for k in P["q3"]]
        ends = [dict(a=k[0], b=k[2]) for k in P["q5"]]
        distinct = "RETURN count(DISTINCT r) AS n, sum(DISTINCT r.nid) AS s"
        pairs = "RETURN DISTINCT i, r NEXT RETURN count(*) AS n, sum(r.nid) AS s"
        if name == "Q1":
            return ans(len(P["q1"]), sum(self.point(k)[0] for k in P["q1"]))
        if name == "Q2":
            return self.each(f"MATCH (:permission {{id: $id}})-[e:applies_to WHERE e.weight >= 0.5]->(r:resource {HIGH}) "
                             "RETURN count(*) AS n, sum(r.nid) AS s", [dict(id=k[0]) for k in P["q2"]])
        if name == "Q3":
            return self.each(f"MATCH (:identity {{id: $id}})-[:{A}]->{{1,8}}(r:resource {HIGH}) {distinct}", ids)
        if name == "Q3u":
            return self.each(f"MATCH (:identity {{id: $id}})-[:{A}]->+(r:resource {HIGH}) {distinct}", ids)
        if name == "Q4":
            return ans(*self.ask(f"MATCH (i:identity)-[:{A}]->{{1,8}}(r:resource {HIGH}) {pairs}")[0])
        if name == "Q5":
            q = f"MATCH p = ANY SHORTEST (:automation {{id: $a}})-[:{A}]->{{1,30}}(:resource {{id: $b}}) RETURN PATH_LENGTH(p) AS n"
            found = [r for e in ends for r in self.ask(q, **e)]
            return ans(len(found), sum(r[0] for r in found))
        if name == "Q6":
            q = f"MATCH ALL SHORTEST (:automation {{id: $a}})-[:{A}]->{{1,30}}(:resource {{id: $b}}) RETURN count(*) AS n"
            found = [self.ask(q, **e)[0][0] for e in ends]
            return ans(sum(n > 0 for n in found), sum(found))
        if name == "Q7":
            return ans(*self.ask(
                "MATCH (a:automation {status: 'active'})-[:runs_as]->(i:identity) "
                "WHERE EXISTS { (i)-[:owned_by]->(:owner) } AND NOT EXISTS { (i)-[:owned_by]->(o:owner WHERE o.status <> 'disabled') } "
                f"AND EXISTS {{ (i)-[:{A}]->{{1,8}}(r:resource {HIGH}) }} RETURN count(DISTINCT a) AS n, sum(DISTINCT a.nid) AS s")[0])
        if name == "Q8":
            return ans(*self.ask(
                f"MATCH (i:identity)-[:{A}]->{{1,6}}(:credential)-[:authenticates_as]->(j:identity) WHERE i.system <> j.system "
                "RETURN DISTINCT i, j NEXT RETURN count(*) AS n, sum(j.nid) AS s, count(DISTINCT i) AS k")[0])
        if name == "Q9":
            at = datetime.datetime.fromtimestamp(P["T_dormant"], datetime.timezone.utc).isoformat()
            return ans(*self.ask(
                "MATCH (i:identity {status: 'active'}) WHERE EXISTS { (i)-[:has_role]->(:role) } "
                "AND NOT EXISTS { (i)<-[:performed_by]-(e:execution_evidence WHERE e.last_seen >= $at) } "
                "RETURN count(*) AS n, sum(i.nid) AS s", at=at)[0])
        if name == "Q10":
            return ans(*self.ask(
                "MATCH (a:automation) WHERE EXISTS { (a)-[:triggers]->{0,2}(:automation)-[:uses_connection]->(:connection {kind: 'external'}) } "
                f"AND EXISTS {{ (a)-[:{A}]->{{1,6}}(:resource {{data_domain: 'HR'}}) }} RETURN count(*) AS n, sum(a.nid) AS s")[0])
        if name == "Q11a":
            return self.each(f"MATCH (:identity {{id: $id}}){REGULAR} {distinct}", ids)
        if name == "Q11b":
            return ans(*self.ask(f"MATCH (i:identity){REGULAR} {pairs}")[0])
        if name == "Q12":
            q = (f"MATCH p = ACYCLIC (:identity {{id: $id}})-[:{A}]->{{1,6}}(r:resource {HIGH}) "
                 "RETURN [n IN nodes(p) | n.nid] AS path LIMIT 1000")
            found = [len(self.ask(q, id=k[0])) for k in P["q12"]]
            return ans(len(found), sum(found))
        if name == "Q13a":
            rows = self.ask("MATCH (i:identity) RETURN i.system, i.status, count(*) AS n")
            return ans(len(rows), sum(r[2] ** 2 for r in rows))
        if name == "Q13b":
            rows = self.ask(f"MATCH (i:identity)-[:{A}]->{{1,8}}(r:resource) RETURN i, count(DISTINCT r) AS radius "
                            "ORDER BY radius DESC, i.nid LIMIT 20 NEXT RETURN i.nid AS nid, radius")
            return ans(sum(r[1] for r in rows), sum(r[0] for r in rows))
        raise ValueError(name)


if __name__ == "__main__":
    main(R)
