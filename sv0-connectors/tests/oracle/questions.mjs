// Makes authorization questions ("cases") as NDJSON, deterministically: same arguments, same bytes.
// It knows nothing of the simulator, nor of sv0. See README.md for the format and the families.
import fs from 'node:fs'

const HELP = `usage: node questions.mjs [GAAD.json ...] [options]
  GAAD.json          get-account-authorization-details dumps: principals x actions x resources
  --synthetic N      synthetic cases                             (default 16000)
  --partial N        groups of one incomplete case + completions (default 400)
  --debatable N      cases whose right answer is debatable       (default 0)
  --per-action K     resources per principal and action          (default 6)
  --full             every resource of the dump (large)
  --seed S           (default 1)
  -o FILE            (default standard output)`

// ---------------------------------------------------------------- random numbers
/** A PRNG of our own (splitmix32 seeding an xorshift128), one per case: case n never depends on case n-1. */
function rng(seed, stream, n) {
  let h = (seed ^ 0x9e3779b9) >>> 0
  for (const c of `${stream}/${n}`) h = Math.imul(h ^ c.charCodeAt(0), 0x01000193) >>> 0
  const mix = () => {
    h = (h + 0x9e3779b9) >>> 0
    let z = h
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad) >>> 0
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97) >>> 0
    return (z ^ (z >>> 15)) >>> 0
  }
  let a = mix(), b = mix(), c = mix(), d = mix() || 1
  const next = () => {
    const t = (a ^ (a << 11)) >>> 0
    a = b; b = c; c = d
    d = (d ^ (d >>> 19) ^ t ^ (t >>> 8)) >>> 0
    return d
  }
  const r = {
    int: (k) => Math.floor((next() / 4294967296) * k),
    chance: (p) => next() / 4294967296 < p,
    pick: (list) => list[r.int(list.length)],
    some: (list, lo, hi) => {
      const pool = [...list], out = []
      for (let k = Math.min(pool.length, lo + r.int(hi - lo + 1)); k > 0; k--) out.push(pool.splice(r.int(pool.length), 1)[0])
      return out
    },
    weighted: (table) => {
      let x = r.int(table.reduce((s, [w]) => s + w, 0))
      for (const [w, v] of table) if ((x -= w) < 0) return v
    }
  }
  return r
}

const arr = (x) => (x === undefined || x === null ? [] : Array.isArray(x) ? x : [x])
const accountOf = (arn) => arn.split(':')[4] ?? ''
const ALLOW_ALL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
/** RCPFullAWSAccess is always attached in AWS; it stands in every level, and compare.mjs takes it out (the simulator adds its own). */
const RCP_FULL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }] }

// ---------------------------------------------------------------- context
/** Every key that can be derived from the principal and the resource is written out, so that it makes no difference whether an evaluator derives it. */
function derivedContext(p, resourceAccount) {
  const c = {
    'aws:PrincipalArn': p.roleArn ?? p.arn,
    'aws:PrincipalAccount': p.account,
    'aws:PrincipalType': p.kind === 'user' ? 'User' : 'AssumedRole',
    'aws:PrincipalIsAWSService': 'false',
    'aws:ViaAWSService': 'false',
    'aws:userid': p.kind === 'user' ? p.id : `${p.id}:${p.session ?? 'probe'}`,
    'aws:ResourceAccount': resourceAccount,
    'aws:CurrentTime': '2026-11-24T12:00:00Z',
    'aws:EpochTime': '1795521600'
  }
  if (p.kind === 'user') c['aws:username'] = p.name
  else c['aws:TokenIssueTime'] = '2026-11-24T11:30:00Z'
  return c
}

// ================================================================ 1. questions from a dump
/** What is asked of every principal. The kind says which resources of the dump it is asked of; a template is filled with the principal's account. */
const BY_KIND = {
  role: ['iam:PassRole', 'iam:PutRolePolicy', 'iam:AttachRolePolicy', 'iam:UpdateAssumeRolePolicy', 'sts:AssumeRole'],
  user: ['iam:CreateAccessKey', 'iam:DeleteAccessKey', 'iam:CreateLoginProfile', 'iam:UpdateLoginProfile', 'iam:AttachUserPolicy', 'iam:PutUserPolicy'],
  group: ['iam:AddUserToGroup', 'iam:AttachGroupPolicy', 'iam:PutGroupPolicy'],
  policy: ['iam:CreatePolicyVersion', 'iam:SetDefaultPolicyVersion'],
  'instance-profile': ['iam:AddRoleToInstanceProfile']
}
const FIXED = [
  ['lambda:CreateFunction', 'arn:aws:lambda:us-east-1:ACC:function:probe'],
  ['lambda:InvokeFunction', 'arn:aws:lambda:us-east-1:ACC:function:probe'],
  ['lambda:UpdateFunctionCode', 'arn:aws:lambda:us-east-1:ACC:function:probe'],
  ['lambda:AddPermission', 'arn:aws:lambda:us-east-1:ACC:function:probe'],
  ['lambda:CreateEventSourceMapping', '*'],
  ['ec2:RunInstances', 'arn:aws:ec2:us-east-1:ACC:instance/i-0probe'],
  ['ec2:RequestSpotInstances', 'arn:aws:ec2:us-east-1:ACC:spot-instances-request/sir-0probe'],
  ['ec2:AssociateIamInstanceProfile', 'arn:aws:ec2:us-east-1:ACC:instance/i-0probe'],
  ['ec2:ModifyInstanceAttribute', 'arn:aws:ec2:us-east-1:ACC:instance/i-0probe'],
  ['ec2:DescribeInstances', '*'],
  ['ec2-instance-connect:SendSSHPublicKey', 'arn:aws:ec2:us-east-1:ACC:instance/i-0probe'],
  ['ssm:StartSession', 'arn:aws:ec2:us-east-1:ACC:instance/i-0probe'],
  ['ssm:SendCommand', 'arn:aws:ec2:us-east-1:ACC:instance/i-0probe'],
  ['ssm:GetParameter', 'arn:aws:ssm:us-east-1:ACC:parameter/probe'],
  ['glue:CreateDevEndpoint', '*'],
  ['glue:UpdateDevEndpoint', 'arn:aws:glue:us-east-1:ACC:devEndpoint/probe'],
  ['glue:CreateJob', 'arn:aws:glue:us-east-1:ACC:job/probe'],
  ['glue:StartJobRun', 'arn:aws:glue:us-east-1:ACC:job/probe'],
  ['cloudformation:CreateStack', 'arn:aws:cloudformation:us-east-1:ACC:stack/probe/1234'],
  ['cloudformation:UpdateStack', 'arn:aws:cloudformation:us-east-1:ACC:stack/probe/1234'],
  ['codebuild:CreateProject', 'arn:aws:codebuild:us-east-1:ACC:project/probe'],
  ['codebuild:StartBuild', 'arn:aws:codebuild:us-east-1:ACC:project/probe'],
  ['datapipeline:CreatePipeline', '*'],
  ['sagemaker:CreateNotebookInstance', 'arn:aws:sagemaker:us-east-1:ACC:notebook-instance/probe'],
  ['sagemaker:CreatePresignedNotebookInstanceUrl', 'arn:aws:sagemaker:us-east-1:ACC:notebook-instance/probe'],
  ['sagemaker:CreateTrainingJob', 'arn:aws:sagemaker:us-east-1:ACC:training-job/probe'],
  ['sagemaker:CreateProcessingJob', 'arn:aws:sagemaker:us-east-1:ACC:processing-job/probe'],
  ['ecs:RegisterTaskDefinition', 'arn:aws:ecs:us-east-1:ACC:task-definition/probe:1'],
  ['ecs:RunTask', 'arn:aws:ecs:us-east-1:ACC:task-definition/probe:1'],
  ['apprunner:CreateService', 'arn:aws:apprunner:us-east-1:ACC:service/probe/1234'],
  ['s3:GetObject', 'arn:aws:s3:::probe/key'],
  ['s3:ListBucket', 'arn:aws:s3:::probe'],
  ['s3:ListAllMyBuckets', '*'],
  ['secretsmanager:GetSecretValue', 'arn:aws:secretsmanager:us-east-1:ACC:secret:probe-AbCdEf'],
  ['dynamodb:GetItem', 'arn:aws:dynamodb:us-east-1:ACC:table/probe'],
  ['sqs:SendMessage', 'arn:aws:sqs:us-east-1:ACC:probe'],
  ['sns:Publish', 'arn:aws:sns:us-east-1:ACC:probe'],
  ['kms:CreateKey', '*'],
  ['config:PutConfigurationRecorder', 'arn:aws:config:us-east-1:ACC:configuration-recorder/probe/1234'],
  ['iam:CreateServiceLinkedRole', 'arn:aws:iam::ACC:role/aws-service-role/ssm.amazonaws.com/AWSServiceRoleForAmazonSSM'],
  ['iam:ListRoles', '*'],
  ['organizations:LeaveOrganization', '*'],
  ['cloudtrail:StopLogging', 'arn:aws:cloudtrail:us-east-1:ACC:trail/probe']
]

/** A policy document of a dump: decoded (CLI), or URL-encoded text (wire). */
const document = (d) => (typeof d === 'string' ? JSON.parse(decodeURIComponent(d)) : d)

function loadDump(file) {
  const d = JSON.parse(fs.readFileSync(file, 'utf8'))
  const policies = new Map()
  for (const p of d.Policies ?? []) {
    const v = arr(p.PolicyVersionList).find((v) => v.IsDefaultVersion || v.VersionId === p.DefaultVersionId)
    if (v) policies.set(p.Arn, document(v.Document))
  }
  const groups = new Map(arr(d.GroupDetailList).map((g) => [`${accountOf(g.Arn)}/${g.GroupName}`, g]))
  const principals = [], skipped = []
  const build = (arn, rest, attached, inline, boundary) => {
    const missing = [...attached, ...arr(boundary?.PermissionsBoundaryArn)].filter((a) => !policies.has(a))
    if (missing.length) { skipped.push(`${arn}: no document for ${missing.join(', ')}`); return }
    principals.push({
      arn, account: accountOf(arn), ...rest,
      docs: [...attached.map((a) => policies.get(a)), ...inline.map((p) => document(p.PolicyDocument))],
      own: attached,
      ...(boundary ? { boundary: policies.get(boundary.PermissionsBoundaryArn) } : {})
    })
  }
  const arnsOf = (x) => arr(x.AttachedManagedPolicies).map((p) => p.PolicyArn)
  for (const u of arr(d.UserDetailList)) {
    const gs = arr(u.GroupList).map((n) => groups.get(`${accountOf(u.Arn)}/${n}`)).filter(Boolean)
    build(u.Arn, { kind: 'user', name: u.UserName, id: u.UserId, tags: arr(u.Tags), groups: gs.map((g) => g.Arn) },
      [...arnsOf(u), ...gs.flatMap(arnsOf)], [...arr(u.UserPolicyList), ...gs.flatMap((g) => arr(g.GroupPolicyList))], u.PermissionsBoundary)
  }
  for (const r of arr(d.RoleDetailList))
    build(r.Arn, { kind: 'role', name: r.RoleName, id: r.RoleId, tags: arr(r.Tags), groups: [], trust: document(r.AssumeRolePolicyDocument) },
      arnsOf(r), arr(r.RolePolicyList), r.PermissionsBoundary)
  const resources = {
    role: arr(d.RoleDetailList).map((r) => r.Arn), user: arr(d.UserDetailList).map((u) => u.Arn),
    group: arr(d.GroupDetailList).map((g) => g.Arn), policy: [...policies.keys()].filter((a) => accountOf(a) !== 'aws'),
    'instance-profile': arr(d.RoleDetailList).flatMap((r) => arr(r.InstanceProfileList).map((p) => p.Arn))
  }
  return { principals, resources, trust: new Map(arr(d.RoleDetailList).map((r) => [r.Arn, document(r.AssumeRolePolicyDocument)])), skipped }
}

function* dumpQuestions(file, index, opt) {
  const dump = loadDump(file)
  for (const s of dump.skipped) console.error(`note: ${s}`)
  let n = 0
  for (const p of dump.principals) {
    const r = rng(opt.seed, `gaad${index}`, p.arn)
    const heavy = JSON.stringify(p.docs).length > 20000 // a few AWS-managed policies are 60 kB: ask less of them, or the file explodes
    const dated = /TokenIssueTime|MultiFactorAuth/i.test(JSON.stringify(p.docs))
    const ask = function* (action, resource, session) {
      const resourceAccount = resource === '*' ? p.account : accountOf(resource) || p.account
      const context = { ...derivedContext(p, resourceAccount), 'aws:RequestedRegion': 'us-east-1', 'aws:SecureTransport': 'true', 'aws:SourceIp': '203.0.113.7' }
      for (const t of p.tags) context[`aws:PrincipalTag/${t.Key}`] = t.Value
      if (session) Object.assign(context, { 'aws:TokenIssueTime': '2026-11-24T11:30:00Z', 'aws:MultiFactorAuthPresent': 'true', 'aws:MultiFactorAuthAge': '120' })
      // compare.mjs calls an action that no customer may take on a protected role debatable; it is asked all the same where the resource comes from the dump
      yield {
        id: `g${index}-${String(n++).padStart(6, '0')}`, principal: p.arn, principal_account: p.account, action, resource, resource_account: resourceAccount, context,
        identity_policies: p.docs, ...(p.boundary ? { boundary: p.boundary } : {}), scps: [], rcps: [],
        ...(action === 'sts:AssumeRole' ? { resource_policy: dump.trust.get(resource) } : {}), context_complete: true
      }
    }
    const both = function* (action, resource) {
      if (p.kind === 'user') { yield* ask(action, resource, false); if (dated || r.chance(0.1)) yield* ask(action, resource, true) }
      else yield* ask(action, resource, false)
    }
    for (const [kind, actions] of Object.entries(BY_KIND))
      for (const action of actions) {
        let list = dump.resources[kind].filter((a) => kind === 'role' || action === 'sts:AssumeRole' || accountOf(a) === p.account || opt.full || r.chance(0.05))
        if (!opt.full) {
          const must = [p.arn, ...p.groups, ...p.own].filter((a) => list.includes(a))
          list = [...new Set([...must, ...r.some(list, heavy ? 1 : opt.perAction, heavy ? 1 : opt.perAction)])]
        }
        for (const resource of list) yield* both(action, resource)
      }
    const buckets = [...new Set(JSON.stringify(p.docs).match(/arn:aws:s3:::[a-z0-9.-]+(?=")/g) ?? [])].slice(0, 3) // buckets that its own policies name
    for (const b of buckets) { yield* both('s3:PutBucketPolicy', b); yield* both('s3:ListBucket', b); yield* both('s3:PutObject', `${b}/key`) }
    for (const [action, template] of FIXED) if (!heavy || opt.full || r.chance(0.4)) yield* both(action, template.replace('ACC', p.account))
  }
}

// ================================================================ 2. synthetic questions
const A = '111122223333', B = '444455556666'
const PRINCIPALS = [
  { kind: 'user', name: 'alice', id: 'AIDAALICEALICEALICE1', path: '' },
  { kind: 'user', name: 'bob', id: 'AIDABOBBOBBOBBOBBOB1', path: 'dev/' },
  { kind: 'role', name: 'app', id: 'AROAAPPAPPAPPAPPAPP1', path: '' },
  { kind: 'role', name: 'deploy', id: 'AROADEPLOYDEPLOYDEP1', path: 'ops/' },
  { kind: 'session', name: 'app', id: 'AROAAPPAPPAPPAPPAPP1', path: '', session: 's1' },
  { kind: 'session', name: 'deploy', id: 'AROADEPLOYDEPLOYDEP1', path: 'ops/', session: 'ci-7' }
]
function principal(r, account, kinds) {
  const p = r.pick(PRINCIPALS.filter((p) => !kinds || kinds.includes(p.kind)))
  const iam = `arn:aws:iam::${account}:${p.kind === 'user' ? 'user' : 'role'}/${p.path}${p.name}`
  return p.kind === 'session'
    ? { ...p, account, arn: `arn:aws:sts::${account}:assumed-role/${p.name}/${p.session}`, roleArn: iam }
    : { ...p, account, arn: iam, ...(p.kind === 'role' ? { roleArn: iam } : {}) }
}
/** service: actions on the resource, further actions of the service, the resources (ACC = resource account), has a resource policy, has RCPs, keys of its own. */
const SERVICES = {
  s3object: { s: 's3', actions: ['GetObject', 'PutObject', 'DeleteObject', 'GetObjectTagging'], more: ['ListBucket', 'GetBucketPolicy', 'GetObjectVersion'], rp: true, rcp: true,
    resources: ['arn:aws:s3:::data-prod/a/x.txt', 'arn:aws:s3:::data-dev/b/y.csv', 'arn:aws:s3:::data-prod/home/alice/notes', 'arn:aws:s3:::data-prod/team/red/plan.doc', 'arn:aws:s3:::logs/2026/11/24.gz'] },
  s3bucket: { s: 's3', actions: ['ListBucket', 'GetBucketPolicy', 'PutBucketPolicy', 'DeleteBucket'], more: ['GetObject', 'ListBucketVersions'], rp: true, rcp: true, keys: { ListBucket: ['s3:prefix', 's3:max-keys'] },
    resources: ['arn:aws:s3:::data-prod', 'arn:aws:s3:::data-dev', 'arn:aws:s3:::logs'] },
  sqs: { s: 'sqs', actions: ['SendMessage', 'ReceiveMessage', 'DeleteQueue', 'SetQueueAttributes'], more: ['GetQueueUrl', 'PurgeQueue'], rp: true, rcp: true,
    resources: ['arn:aws:sqs:us-east-1:ACC:orders', 'arn:aws:sqs:us-east-1:ACC:orders-dlq', 'arn:aws:sqs:eu-west-1:ACC:team-red'] },
  sns: { s: 'sns', actions: ['Publish', 'Subscribe', 'DeleteTopic'], more: ['GetTopicAttributes'], rp: true,
    resources: ['arn:aws:sns:us-east-1:ACC:alerts', 'arn:aws:sns:us-east-1:ACC:billing'] },
  dynamodb: { s: 'dynamodb', actions: ['GetItem', 'PutItem', 'DeleteTable', 'UpdateItem'], more: ['BatchGetItem', 'DescribeTable'], rp: true, rcp: true,
    resources: ['arn:aws:dynamodb:us-east-1:ACC:table/orders', 'arn:aws:dynamodb:us-east-1:ACC:table/users'] },
  secretsmanager: { s: 'secretsmanager', actions: ['GetSecretValue', 'PutSecretValue', 'DeleteSecret'], more: ['DescribeSecret'], rp: true, rcp: true,
    resources: ['arn:aws:secretsmanager:us-east-1:ACC:secret:prod/db-AbCdEf', 'arn:aws:secretsmanager:us-east-1:ACC:secret:dev/db-GhIjKl'] },
  kms: { s: 'kms', actions: ['Decrypt', 'Encrypt', 'GenerateDataKey', 'ScheduleKeyDeletion'], more: ['DescribeKey', 'CreateGrant'], rp: true, rcp: true, mustRp: true, keys: { Decrypt: ['kms:ViaService'], Encrypt: ['kms:ViaService'] },
    resources: ['arn:aws:kms:us-east-1:ACC:key/11111111-2222-3333-4444-555555555555'] },
  lambda: { s: 'lambda', actions: ['InvokeFunction', 'UpdateFunctionCode', 'DeleteFunction'], more: ['GetFunction', 'ListTags'], rp: true,
    resources: ['arn:aws:lambda:us-east-1:ACC:function:ingest', 'arn:aws:lambda:eu-west-1:ACC:function:report-daily'] },
  iamrole: { s: 'iam', actions: ['PassRole', 'PutRolePolicy', 'AttachRolePolicy', 'UpdateAssumeRolePolicy', 'DeleteRole'], more: ['GetRole', 'CreateRole'], keys: { PassRole: ['iam:PassedToService'] },
    resources: ['arn:aws:iam::ACC:role/admin', 'arn:aws:iam::ACC:role/service/worker', 'arn:aws:iam::ACC:role/app'] },
  iamuser: { s: 'iam', actions: ['PutUserPolicy', 'CreateAccessKey', 'UpdateLoginProfile', 'AttachUserPolicy'], more: ['GetUser', 'DeleteUser'],
    resources: ['arn:aws:iam::ACC:user/alice', 'arn:aws:iam::ACC:user/dev/bob', 'arn:aws:iam::ACC:user/carol'] },
  ec2: { s: 'ec2', actions: ['StartInstances', 'StopInstances', 'TerminateInstances'], more: ['DescribeInstances', 'RunInstances'],
    resources: ['arn:aws:ec2:us-east-1:ACC:instance/i-0123456789abcdef0', 'arn:aws:ec2:eu-west-1:ACC:instance/i-0fedcba9876543210'] },
  ssm: { s: 'ssm', actions: ['GetParameter', 'PutParameter', 'DeleteParameter'], more: ['GetParameters'],
    resources: ['arn:aws:ssm:us-east-1:ACC:parameter/prod/db/password', 'arn:aws:ssm:us-east-1:ACC:parameter/dev/flag'] },
  wildcardOnly: { resources: ['*'], pairs: [['ec2', 'DescribeInstances'], ['s3', 'ListAllMyBuckets'], ['iam', 'ListRoles'], ['kms', 'CreateKey'], ['iam', 'ListUsers']], more: ['ListAliases', 'DescribeVpcs'] },
  trust: { s: 'sts', actions: ['AssumeRole'], more: ['GetSessionToken', 'TagSession'], rp: true, rcp: true, mustRp: true, keys: { AssumeRole: ['sts:ExternalId', 'sts:RoleSessionName'] },
    resources: ['arn:aws:iam::ACC:role/target', 'arn:aws:iam::ACC:role/ops/target2'] }
}
const OTHER_ACTIONS = ['s3:GetObject', 's3:*', 'sqs:*', 'ec2:Describe*', 'iam:PassRole', 'iam:*', 'kms:Decrypt', 'lambda:InvokeFunction', 'dynamodb:*', 'sts:AssumeRole', 'sns:Publish', 'logs:*']
const OTHER_RESOURCES = ['arn:aws:s3:::other/*', 'arn:aws:s3:::data-dev/*', 'arn:aws:sqs:us-east-1:' + A + ':nothing', 'arn:aws:iam::' + A + ':role/none', 'arn:aws:dynamodb:*:*:table/none', 'arn:aws:lambda:us-east-1:*:function:none']

const STR = {
  'aws:PrincipalTag/team': ['red', 'blue', 'Red', 'red-2'], 'aws:PrincipalTag/env': ['prod', 'dev', 'red'], 'aws:RequestedRegion': ['us-east-1', 'eu-west-1'],
  'aws:PrincipalOrgID': ['o-abc123', 'o-zzz999'], 'aws:SourceVpce': ['vpce-1a2b', 'vpce-9f'], 'aws:UserAgent': ['aws-cli/2.1', 'Boto3/1.9'],
  'iam:PassedToService': ['lambda.amazonaws.com', 'ec2.amazonaws.com'], 'sts:ExternalId': ['ext-1', 'ext-2'], 'sts:RoleSessionName': ['s1', 'audit', 'ci-7'],
  's3:prefix': ['home/alice/', 'home/bob/', 'team/red/x', ''].filter(Boolean), 'kms:ViaService': ['s3.us-east-1.amazonaws.com', 'sqs.us-east-1.amazonaws.com']
}
const DERIVED_STR = ['aws:PrincipalAccount', 'aws:PrincipalType', 'aws:username', 'aws:userid', 'aws:ResourceAccount']
const LISTS = {
  'aws:TagKeys': ['team', 'env', 'cost', 'Team'], 'aws:CalledVia': ['athena.amazonaws.com', 'cloudformation.amazonaws.com'],
  'aws:PrincipalOrgPaths': ['o-abc123/r-ab12/ou-1/', 'o-abc123/r-ab12/ou-2/', 'o-abc123/r-ab12/ou-1/ou-11/']
}
const ARNS = ['arn:aws:lambda:us-east-1:' + A + ':function:ingest', 'arn:aws:sns:us-east-1:' + A + ':alerts', 'arn:aws:s3:::data-prod', 'arn:aws:events:us-east-1:' + A + ':rule/nightly']
const DATES = ['2020-01-01T00:00:01Z', '2026-11-24T11:30:00Z', '2026-11-24T12:00:00Z', '2026-11-24T13:30:00+02:00', '2026-11-24T07:00:00-05:00', '2026-11-25', '2030-06-01T00:00:00+02:00']
const IPS = ['203.0.113.7', '10.1.2.3', '198.51.100.200', '2001:db8::17']
const CIDRS = ['203.0.113.0/24', '10.0.0.0/8', '10.1.2.3/32', '128.0.0.0/1', '198.51.100.128/25', '2001:db8::/32']
const FREE_KEYS = ['aws:PrincipalTag/team', 'aws:PrincipalTag/env', 'aws:SourceVpce', 'aws:SourceIp', 'aws:MultiFactorAuthPresent', 'aws:TagKeys', 's3:prefix', 'sts:ExternalId']

function context(r, q, p) {
  const c = derivedContext(p, q.resourceAccount)
  if (r.chance(0.7)) c['aws:PrincipalTag/team'] = r.pick(STR['aws:PrincipalTag/team'])
  if (r.chance(0.5)) c['aws:PrincipalTag/env'] = r.pick(STR['aws:PrincipalTag/env'])
  c['aws:RequestedRegion'] = q.resource.split(':')[3] || r.pick(STR['aws:RequestedRegion'])
  if (r.chance(0.6)) c['aws:PrincipalOrgID'] = r.pick(STR['aws:PrincipalOrgID'])
  if (r.chance(0.3)) c['aws:SourceVpce'] = r.pick(STR['aws:SourceVpce'])
  if (r.chance(0.5)) c['aws:UserAgent'] = r.pick(STR['aws:UserAgent'])
  if (r.chance(0.4)) c['aws:TagKeys'] = r.some(LISTS['aws:TagKeys'], 1, 3)
  if (r.chance(0.3)) c['aws:CalledVia'] = r.some(LISTS['aws:CalledVia'], 1, 2)
  if (r.chance(0.5)) c['aws:PrincipalOrgPaths'] = r.some(LISTS['aws:PrincipalOrgPaths'], 1, 2)
  if (r.chance(0.5)) c['aws:SourceArn'] = r.pick(ARNS)
  if (r.chance(0.8)) c['aws:SourceIp'] = r.pick(IPS)
  c['aws:SecureTransport'] = r.chance(0.8) ? 'true' : 'false'
  if (r.chance(0.5)) { c['aws:MultiFactorAuthPresent'] = r.chance(0.7) ? 'true' : 'false'; if (r.chance(0.7)) c['aws:MultiFactorAuthAge'] = String(r.pick([0, 60, 300, 3600])) }
  for (const k of q.keys) if (r.chance(0.7)) c[k] = k === 's3:max-keys' ? String(r.pick([1, 10, 1000])) : r.pick(STR[k])
  return c
}

const wild = (r, s) => {
  if (s.length < 2) return '*'
  const i = 1 + r.int(s.length - 1)
  return r.weighted([[3, s.slice(0, i) + '*'], [1, '*' + s.slice(i)], [2, s.slice(0, i) + '*' + s.slice(-1)], [2, s.slice(0, i - 1) + '?' + s.slice(i)]])
}
const oneOrList = (r, xs) => (xs.length === 1 && r.chance(0.7) ? xs[0] : xs)

/** One condition on a key that this request may carry. `force` limits the keys (partial cases). */
function condition(r, q, ctx, p, force) {
  const kinds = [[6, 'str'], [2, 'derived'], [3, 'list'], [3, 'arn'], [2, 'date'], [2, 'num'], [3, 'bool'], [2, 'ip'], [2, 'null'], [2, 'var']]
  let kind = r.weighted(kinds), key
  if (force) { key = r.pick(force); kind = key === 'aws:TagKeys' ? 'list' : key === 'aws:SourceIp' ? 'ip' : key === 'aws:MultiFactorAuthPresent' ? 'bool' : r.chance(0.2) ? 'null' : 'str' }
  const suffix = r.chance(0.25) ? 'IfExists' : ''
  const near = (k, domain) => { const own = arr(ctx[k]); return own.length && r.chance(0.55) ? r.pick(own) : r.pick(domain) }
  const strKeys = [...Object.keys(STR).filter((k) => k.startsWith('aws:')), ...q.keys.filter((k) => k !== 's3:max-keys')]
  switch (kind) {
    case 'str': case 'derived': {
      key ??= kind === 'str' ? r.pick(strKeys) : r.pick(DERIVED_STR)
      const domain = STR[key] ?? [A, B, 'User', 'AssumedRole', 'alice', 'bob', 'AROAAPPAPPAPPAPPAPP1:s1']
      const op = r.weighted([[4, 'StringEquals'], [3, 'StringNotEquals'], [2, 'StringEqualsIgnoreCase'], [1, 'StringNotEqualsIgnoreCase'], [4, 'StringLike'], [2, 'StringNotLike']])
      const like = op.endsWith('Like')
      const vals = Array.from({ length: 1 + r.int(2) }, () => { let v = near(key, domain); if (r.chance(op.includes('IgnoreCase') ? 0.5 : 0.08)) v = v.toUpperCase(); return like && r.chance(0.6) ? wild(r, v) : v })
      const set = r.chance(0.06) ? r.pick(['ForAnyValue:', 'ForAllValues:']) : ''
      const name = r.chance(0.08) ? key.replace(/^aws:/, 'AWS:') : key
      return [set + op + (set ? '' : suffix), name, oneOrList(r, vals)]
    }
    case 'list': {
      key ??= r.pick(Object.keys(LISTS))
      const op = r.pick(['ForAllValues:', 'ForAnyValue:']) + r.weighted([[4, 'StringEquals'], [2, 'StringNotEquals'], [3, 'StringLike'], [1, 'StringNotLike'], [1, 'StringEqualsIgnoreCase']])
      const vals = Array.from({ length: 1 + r.int(3) }, () => { const v = near(key, LISTS[key]); return op.endsWith('Like') && r.chance(0.5) ? wild(r, v) : v })
      return [op, key, oneOrList(r, [...new Set(vals)])]
    }
    case 'arn': {
      key = r.chance(0.6) ? 'aws:PrincipalArn' : 'aws:SourceArn'
      const op = r.pick(['ArnEquals', 'ArnLike', 'ArnNotEquals', 'ArnNotLike', 'StringLike', 'StringEquals'])
      const base = near(key, key === 'aws:SourceArn' ? ARNS : [`arn:aws:iam::${A}:role/app`, `arn:aws:iam::${B}:role/ops/deploy`, `arn:aws:iam::${A}:user/alice`])
      const parts = base.split(':')
      const v = r.weighted([[4, base], [2, [...parts.slice(0, 5), '*'].join(':')], [2, [...parts.slice(0, 4), '*', ...parts.slice(5)].join(':')],
        [2, [...parts.slice(0, 5), wild(r, parts.slice(5).join(':'))].join(':')], [1, [...parts.slice(0, 3), '*', '*', '*'].join(':')],
        [parts.length > 6 ? 6 : 1, `arn:aws:*:*:*:${parts.at(-1)}`], [1, `arn:*:*:*:*:*${parts.at(-1).slice(-3)}`]])
      return [op + suffix, key, op === 'StringEquals' ? base : v]
    }
    case 'date': {
      key = r.chance(0.6) ? 'aws:CurrentTime' : 'aws:TokenIssueTime'
      return [r.pick(['DateEquals', 'DateNotEquals', 'DateLessThan', 'DateLessThanEquals', 'DateGreaterThan', 'DateGreaterThanEquals']) + suffix, key, oneOrList(r, [r.pick(DATES)])]
    }
    case 'num': {
      key = q.keys.includes('s3:max-keys') && r.chance(0.5) ? 's3:max-keys' : 'aws:MultiFactorAuthAge'
      return [r.pick(['NumericEquals', 'NumericNotEquals', 'NumericLessThan', 'NumericLessThanEquals', 'NumericGreaterThan', 'NumericGreaterThanEquals']) + suffix, key, r.chance(0.5) && ctx[key] ? ctx[key] : r.pick(['0', '60', '299.5', '300', '1000', '3600'])]
    }
    case 'bool':
      key ??= r.pick(['aws:SecureTransport', 'aws:MultiFactorAuthPresent', 'aws:ViaAWSService'])
      return ['Bool' + suffix, key, r.weighted([[3, 'true'], [3, 'false'], [1, true], [1, 'True']])]
    case 'ip': {
      key = 'aws:SourceIp'
      return [r.pick(['IpAddress', 'NotIpAddress']) + suffix, key, oneOrList(r, r.some(CIDRS, 1, 2))]
    }
    case 'null':
      key ??= r.pick([...strKeys, 'aws:TokenIssueTime', 'aws:MultiFactorAuthAge', 'aws:TagKeys', 'aws:username'])
      return ['Null', key, r.weighted([[3, 'true'], [3, 'false'], [1, true]])]
    case 'var':
      return r.weighted([
        [3, ['StringEquals', 'aws:PrincipalTag/team', '${aws:PrincipalTag/env}']],
        [2, ['StringLike', 'aws:PrincipalArn', 'arn:aws:iam::${aws:PrincipalAccount}:*']],
        [2, ['StringNotLike', 'aws:PrincipalArn', 'arn:aws:*::${aws:ResourceAccount}:user/*']],
        [2, ['StringEquals', 'aws:ResourceAccount', '${aws:PrincipalAccount}']],
        [2, ['StringNotEquals', 'aws:ResourceAccount', '${aws:PrincipalAccount}']],
        [2, ['StringLike', 'aws:PrincipalTag/team', "${aws:PrincipalTag/env, 'red'}*"]],
        [1, ['StringLike', 'aws:UserAgent', '${*}*']],
        ...(q.keys.includes('s3:prefix') ? [[4, ['StringLike', 's3:prefix', 'home/${aws:username}/*']], [2, ['StringLike', 's3:prefix', ['home/${aws:username}*', "team/${aws:PrincipalTag/team, 'none'}/*"]]]] : [])
      ])
  }
}
function conditions(r, q, ctx, p, force) {
  const out = {}
  for (let n = r.weighted([[6, 1], [3, 2], [1, 3]]); n > 0; n--) {
    const [op, key, val] = condition(r, q, ctx, p, force)
    out[op] ??= {}
    out[op][key] ??= val
  }
  return out
}

const mangle = (r, s) => [...s].map((c) => (r.chance(0.5) ? c.toUpperCase() : c.toLowerCase())).join('')
/** An action pattern that covers the asked action. */
function covering(r, q) {
  const [s, a] = q.action.split(':')
  return r.weighted([[8, q.action], [3, `${s}:*`], [2, '*'], [3, `${s}:${wild(r, a)}`], [1, mangle(r, q.action)], [1, `${s.toUpperCase()}:${a}`], [1, `${s}:${a.match(/^[A-Z][a-z]+/)[0]}*`]])
}
const notCovering = (r, q) => r.chance(0.5) ? `${q.service}:${r.pick(q.more)}` : r.pick(OTHER_ACTIONS.filter((x) => !x.startsWith(q.service + ':')))
function actions(r, q, relevant, noStar) {
  let list = Array.from({ length: r.weighted([[5, 1], [3, 2], [1, 3]]) }, () => notCovering(r, q))
  if (relevant) { let c = covering(r, q); while (noStar && c === '*') c = covering(r, q); list[r.int(list.length)] = c }
  list = [...new Set(list)]
  return oneOrList(r, list)
}
/** A resource pattern that covers the asked resource; wildcards stay inside one segment of the ARN and out of the type prefix (see README: wildcards). */
function coveringResource(r, q, ctx) {
  if (q.resource === '*') return '*'
  const parts = q.resource.split(':'), tail = parts.slice(5).join(':')
  const cut = q.service === 's3' ? 0 : Math.max(0, 1 + Math.min(...[tail.indexOf('/'), tail.indexOf(':')].map((i) => (i < 0 ? Infinity : i))))
  const head = Number.isFinite(cut) ? tail.slice(0, cut) : '', rest = tail.slice(head.length)
  const at = (i, v) => [...parts.slice(0, i), v, ...parts.slice(i + 1)].join(':')
  const vary = [[5, q.resource], [1, [...parts.slice(0, 5), head + rest.toUpperCase()].join(':')], [3, '*'], [3, [...parts.slice(0, 5), head + wild(r, rest)].join(':')], [2, [...parts.slice(0, 5), head + '*'].join(':')], [2, [...parts.slice(0, 5), '*'].join(':')], [1, at(1, '*')]]
  if (parts[3]) vary.push([2, at(3, '*')], [1, at(3, wild(r, parts[3]))])
  if (parts[4]) vary.push([2, at(4, '*')])
  if (parts[3] && parts[4]) vary.push([1, `arn:aws:${parts[2]}:*:*:${head}${rest}`])
  const u = ctx['aws:username'], t = ctx['aws:PrincipalTag/team']
  if (!/[/:]/.test(tail)) return r.weighted(vary) // a variable needs a type prefix before it (README: simulator errors)
  if (tail.includes('alice') && u) vary.push([6, q.resource.replace('alice', '${aws:username}')], [2, q.resource.replace('alice', '${aws:username}').replace(/[^/]*$/, '*')])
  if (/red/.test(tail)) vary.push([6, q.resource.replace('red', t ? '${aws:PrincipalTag/team}' : "${aws:PrincipalTag/team, 'red'}")], [2, q.resource.replace('red', "${aws:PrincipalTag/team, 'red'}")])
  return r.weighted(vary)
}
function resourceElement(r, q, ctx, relevant, allowNot = true) {
  const list = Array.from({ length: r.weighted([[6, 1], [2, 2]]) }, () => (r.chance(0.6) ? r.pick(OTHER_RESOURCES) : r.pick(q.siblings)))
  if (relevant) list[r.int(list.length)] = coveringResource(r, q, ctx)
  // NotResource covers the request when none of its patterns does
  return allowNot && r.chance(0.12) ? { NotResource: oneOrList(r, [...new Set(list)]) } : { Resource: oneOrList(r, [...new Set(list)]) }
}
/** A statement of an identity-shaped policy (identity, boundary, SCP, session). */
function statement(r, q, ctx, p, o = {}) {
  const st = {}
  if (r.chance(0.3)) st.Sid = r.pick(['One', 'Two', 'Same'])
  st.Effect = o.effect ?? (r.chance(o.deny ?? 0.22) ? 'Deny' : 'Allow')
  const relevant = r.chance(o.relevance ?? 0.8)
  if (r.chance(0.1)) st.NotAction = actions(r, q, !relevant) // covers the action when it isn't named
  else st.Action = actions(r, q, relevant)
  Object.assign(st, resourceElement(r, q, ctx, r.chance(o.relevance ?? 0.8)))
  if (r.chance(o.conditions ?? 0.4)) st.Condition = conditions(r, q, ctx, p, o.force)
  return st
}
function versioned(r, statements) {
  const variable = /\$\{/.test(JSON.stringify(statements))
  const v = variable ? '2012-10-17' : r.weighted([[12, '2012-10-17'], [1, '2008-10-17'], [1, null]])
  return { ...(v ? { Version: v } : {}), Statement: statements.length === 1 && r.chance(0.4) ? statements[0] : statements }
}
const policy = (r, q, ctx, p, o = {}) => versioned(r, Array.from({ length: r.weighted([[5, 1], [4, 2], [2, 3]]) }, () => statement(r, q, ctx, p, o)))
/** A guardrail: mostly full access with exceptions, sometimes an allow-list. */
function guardrail(r, q, ctx, p, o = {}) {
  if (r.chance(0.6)) {
    const st = [{ Effect: 'Allow', Action: '*', Resource: '*' }]
    if (r.chance(0.55)) st.push(statement(r, q, ctx, p, { ...o, effect: 'Deny', conditions: 0.6, relevance: 0.7 }))
    return versioned(r, st)
  }
  return policy(r, q, ctx, p, { ...o, deny: 0.12, relevance: 0.9, conditions: 0.3 })
}
function principalElement(r, p, q) {
  const other = [`arn:aws:iam::${p.account}:user/carol`, `arn:aws:iam::${p.account}:role/other`, '777788889999', `arn:aws:iam::${p.account === A ? B : A}:root`]
  const own = p.kind === 'session' ? [[5, p.roleArn], [3, p.arn]] : [[8, p.arn]]
  const x = r.weighted([...own, [4, `arn:aws:iam::${p.account}:root`], [2, p.account], [2, '*'], [4, null]])
  if (x === '*') return r.chance(0.5) ? '*' : { AWS: '*' }
  if (x === null) return r.chance(0.3) ? { Service: 'lambda.amazonaws.com' } : { AWS: oneOrList(r, r.some(other, 1, 2)) }
  return { AWS: r.chance(0.25) ? [r.pick(other), x] : x }
}
function resourcePolicy(r, q, ctx, p, o = {}) {
  const trust = q.kind === 'trust'
  const st = Array.from({ length: r.weighted([[5, 1], [4, 2], [1, 3]]) }, () => {
    const s = { Effect: r.chance(0.2) ? 'Deny' : 'Allow', Principal: principalElement(r, p, q) }
    if (trust) s.Action = r.weighted([[6, 'sts:AssumeRole'], [1, 'sts:*'], [2, ['sts:AssumeRole', 'sts:TagSession']], [1, 'sts:AssumeRoleWithSAML']])
    else { s.Action = actions(r, q, r.chance(0.9)); Object.assign(s, q.service === 'kms' && r.chance(0.7) ? { Resource: '*' } : resourceElement(r, q, ctx, r.chance(0.9))) }
    if (r.chance(o.conditions ?? 0.3)) s.Condition = conditions(r, q, ctx, p, o.force)
    return s
  })
  return versioned(r, st)
}
function rcp(r, q, ctx, p, o = {}) {
  const s = { Sid: 'Guard', Effect: 'Deny', Principal: '*', Action: actions(r, q, r.chance(0.85), true), ...resourceElement(r, q, ctx, r.chance(0.85)) }
  if (r.chance(0.75)) s.Condition = conditions(r, q, ctx, p, o.force)
  return { Version: '2012-10-17', Statement: [s] }
}

function question(r, kind, resourceAccount) {
  const d = SERVICES[kind]
  const [service, name] = d.pairs ? r.pick(d.pairs) : [d.s, r.pick(d.actions)]
  const fill = (x) => x.replace('ACC', resourceAccount)
  const resource = fill(r.pick(d.resources))
  return { kind, service, action: `${service}:${name}`, more: [...d.more, ...(d.actions ?? []).filter((x) => x !== name)], resource, siblings: d.resources.map(fill).filter((x) => x !== resource).concat(OTHER_RESOURCES.slice(0, 1)),
    resourceAccount, keys: d.keys?.[name] ?? [], rp: d.rp, rcp: d.rcp, mustRp: d.mustRp }
}
const FAMILIES = [[6, 'bypass'], [24, 'identity'], [11, 'boundary'], [12, 'scp'], [8, 'rcp'], [15, 'resource'], [12, 'cross'], [9, 'trust'], [5, 'kms'], [8, 'session'], [8, 'all']]
const PLAIN = ['s3object', 's3bucket', 'sqs', 'sns', 'dynamodb', 'secretsmanager', 'lambda', 'iamrole', 'iamuser', 'ec2', 'ssm', 'wildcardOnly']
const WITH_RP = PLAIN.filter((k) => SERVICES[k].rp), WITH_RCP = [...PLAIN, 'trust', 'kms'].filter((k) => SERVICES[k].rcp)

function build(r, id, o = {}) {
  const family = o.family ?? r.weighted(FAMILIES)
  const kind = { resource: WITH_RP, bypass: WITH_RP, cross: [...WITH_RP, 'kms', 'trust'], rcp: WITH_RCP, trust: ['trust'], kms: ['kms'], all: [...WITH_RP, 'kms', 'trust'] }[family] ?? PLAIN
  const cross = family === 'cross' || (['trust', 'kms', 'rcp', 'all'].includes(family) && r.chance(0.3))
  const p = principal(r, A, family === 'session' ? ['role', 'session'] : undefined)
  const q = question(r, o.kind ?? r.pick(kind), cross ? B : A)
  const ctx = context(r, q, p)
  const all = family === 'all'
  const so = { force: o.force, ...(o.force ? { conditions: 0.75 } : {}) }
  const c = {
    id, principal: p.arn, principal_account: p.account, action: q.action, resource: q.resource, resource_account: q.resourceAccount, context: ctx,
    identity_policies: Array.from({ length: r.weighted([[1, 0], [6, 1], [3, 2]]) }, () => (r.chance(['boundary', 'scp', 'rcp', 'session', 'cross', 'trust', 'all'].includes(family) ? 0.35 : 0) ? ALLOW_ALL : policy(r, q, ctx, p, so))),
    scps: [], rcps: []
  }
  if (family === 'boundary' || (all && r.chance(0.4)) || (family === 'resource' && r.chance(0.15))) c.boundary = guardrail(r, q, ctx, p, so)
  if (family === 'scp' || (all && r.chance(0.5))) c.scps = Array.from({ length: 1 + r.int(3) }, () => r.chance(0.08) ? [] : Array.from({ length: 1 + r.int(2) }, () => guardrail(r, q, ctx, p, so)))
  if (q.rcp && (family === 'rcp' || (all && r.chance(0.4)))) c.rcps = Array.from({ length: 1 + r.int(2) }, () => [RCP_FULL, ...Array.from({ length: r.int(3) }, () => rcp(r, q, ctx, p, so))])
  if (q.rp && (q.mustRp || ['resource', 'cross', 'rcp', 'all'].includes(family) ? r.chance(q.mustRp ? 1 : 0.9) : false)) c.resource_policy = resourcePolicy(r, q, ctx, p, so)
  if (p.kind !== 'user' && (family === 'session' || (all && r.chance(0.3)))) c.session_policy = r.chance(0.2) ? ALLOW_ALL : policy(r, q, ctx, p, { ...so, deny: 0.1, relevance: 0.9 })
  if (family === 'bypass') { // a boundary that doesn't allow, and a resource policy that may name the principal, its role, its session or its account
    c.boundary = versioned(r, [{ Effect: 'Allow', Action: r.chance(0.7) ? r.pick(OTHER_ACTIONS.filter((x) => !x.startsWith(q.service + ':'))) : '*', Resource: '*' }])
    c.identity_policies = r.chance(0.5) ? [ALLOW_ALL] : []
    const who = r.weighted([[4, p.arn], [4, p.roleArn ?? p.arn], [2, `arn:aws:iam::${A}:root`], [1, `arn:aws:iam::${A}:user/carol`]])
    c.resource_policy = versioned(r, [{ Effect: 'Allow', Principal: { AWS: who }, Action: `${q.service}:*`, Resource: '*', ...(r.chance(0.2) ? { Condition: conditions(r, q, ctx, p) } : {}) }])
  }
  c.context_complete = true
  return { c, q, p }
}
function* synthetic(opt) {
  for (let n = 0; n < opt.synthetic; n++) yield build(rng(opt.seed, 's', n), `s${String(n).padStart(6, '0')}`).c
}

/** An incomplete request, and completions of it: the same request with the missing keys given or absent. */
function* partial(opt) {
  for (let n = 0; n < opt.partial; n++) {
    const r = rng(opt.seed, 'p', n), id = `p${String(n).padStart(5, '0')}`
    const kind = r.pick(['s3object', 's3bucket', 'sqs', 'trust', 'iamrole', 'secretsmanager'])
    const allowed = FREE_KEYS.filter((k) => k.startsWith('aws:') || SERVICES[kind].keys && Object.values(SERVICES[kind].keys).flat().includes(k))
    const family = kind === 'trust' ? 'trust' : kind === 'iamrole' ? r.pick(['identity', 'boundary', 'scp']) : r.pick(['identity', 'boundary', 'scp', 'resource', 'cross', 'all'])
    // the asked action must be one that carries the key
    const { c, q } = build(r, id, { family, kind, force: allowed.filter((k) => k.startsWith('aws:') || kind !== 's3bucket') })
    const text = JSON.stringify([c.identity_policies, c.boundary, c.scps, c.rcps, c.resource_policy, c.session_policy])
    const free = FREE_KEYS.filter((k) => text.includes(`"${k}"`) || text.includes(`"${k.replace(/^aws:/, 'AWS:')}"`) || text.includes('${' + k))
    for (const k of [...FREE_KEYS, 'aws:MultiFactorAuthAge']) delete c.context[k]
    c.context_complete = false
    yield c
    const value = (k) => {
      if (k === 'aws:TagKeys') return r.some(LISTS[k], 1, 3)
      if (k === 'aws:SourceIp') return r.pick(IPS)
      if (k === 'aws:MultiFactorAuthPresent') return r.pick(['true', 'false'])
      return r.chance(0.15) ? 'something-else' : r.pick(STR[k])
    }
    for (let i = 0; i < 8; i++) {
      const ctx = { ...c.context }
      if (i > 0) for (const k of free) if (r.chance(0.75)) ctx[k] = value(k)
      yield { ...c, id: `${id}/${i}`, context: ctx, context_complete: true }
    }
  }
}

/** Cases in which the simulator's answer is debatable (README). compare.mjs recognises them by their content, not by their id. */
function* debatable(opt) {
  for (let n = 0; n < opt.debatable; n++) {
    const r = rng(opt.seed, 'd', n), id = `d${String(n).padStart(5, '0')}`
    const what = r.pick(['notprincipal', 'wildcard', 'session-resource', 'v2008', 'anyifexists', 'aws-managed', 'reserved-role', 'single-op-on-list', 'no-trust', 'caller', 'rcp-unsupported', 'slr-scp', 'unresolved-negated', 'arn-variable', 'address', 'resource-variable', 'everybody-boundary', 'named-session'])
    const mk = (o) => build(r, id, o).c
    let c
    const allow = (extra) => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*', ...extra }] })
    switch (what) {
      case 'notprincipal': { c = mk({ family: r.pick(['resource', 'cross']), kind: 's3object' }); c.resource_policy = { Version: '2012-10-17', Statement: [{ Effect: r.pick(['Deny', 'Allow']), NotPrincipal: { AWS: r.pick([c.principal, c.principal_account, `arn:aws:iam::${A}:user/carol`]) }, Action: 's3:*', Resource: '*' }] }; c.identity_policies = [ALLOW_ALL]; break }
      case 'wildcard': { c = mk({ family: 'identity', kind: r.pick(['lambda', 'iamrole', 'dynamodb']) }); const x = c.resource.split(':'); c.identity_policies = [allow({ Resource: r.pick([`arn:aws:${x[2]}:*:${x.at(-1)}`, `arn:aws:${x[2]}:${x[3]}:${x[4]}:*/${x.at(-1).split('/').at(-1)}`, `arn:aws:${x[2]}*`, `arn:aws:*${x.at(-1).slice(-4)}`, `*${x.at(-1)}`]) })]; break }
      case 'session-resource': { c = mk({ family: 'resource', kind: r.pick(['s3object', 'sqs']) }); const s = principal(r, A, ['session']); Object.assign(c, { principal: s.arn, context: derivedContext(s, A), identity_policies: [], session_policy: allow({ Action: 'ec2:*' }), resource_policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: r.pick([s.arn, s.roleArn, '*']) }, Action: '*', Resource: '*' }] } }); delete c.boundary; break }
      case 'v2008': { c = mk({ family: 'identity', kind: 's3object' }); c.identity_policies = [{ Version: '2008-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::data-prod/home/${aws:username}/*' }] }]; break }
      case 'anyifexists': { c = mk({ family: 'identity', kind: 'sqs' }); delete c.context['aws:TagKeys']; c.identity_policies = [allow({ Condition: { 'ForAnyValue:StringEqualsIfExists': { 'aws:TagKeys': 'team' } } })]; break }
      case 'aws-managed': { c = mk({ family: 'identity', kind: 'iamrole' }); Object.assign(c, { action: r.pick(['iam:CreatePolicyVersion', 'iam:SetDefaultPolicyVersion']), resource: 'arn:aws:iam::aws:policy/ReadOnlyAccess', identity_policies: [r.chance(0.5) ? ALLOW_ALL : allow({ Effect: 'Deny' })] }); break }
      case 'reserved-role': { c = mk({ family: 'identity', kind: 'iamrole' }); Object.assign(c, { action: 'iam:UpdateAssumeRolePolicy', resource: `arn:aws:iam::${A}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef`, identity_policies: [ALLOW_ALL] }); break }
      case 'single-op-on-list': { c = mk({ family: 'identity', kind: 'sqs' }); c.context['aws:TagKeys'] = ['team']; c.identity_policies = [allow({ Condition: { [r.pick(['StringEquals', 'StringNotEquals'])]: { 'aws:TagKeys': 'team' } } })]; break }
      case 'no-trust': { c = mk({ family: r.pick(['trust', 'kms']) }); delete c.resource_policy; c.identity_policies = [ALLOW_ALL]; break }
      case 'caller': { c = mk({ family: 'identity', kind: 'wildcardOnly' }); Object.assign(c, { action: 'sts:GetCallerIdentity', resource: '*', identity_policies: [allow({ Effect: r.pick(['Deny', 'Allow']), Action: r.pick(['sts:*', 's3:*']) })] }); break }
      case 'rcp-unsupported': { c = mk({ family: 'identity', kind: r.pick(['lambda', 'ec2']) }); Object.assign(c, { identity_policies: [ALLOW_ALL], rcps: [[RCP_FULL, { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Principal: '*', Action: `${c.action.split(':')[0]}:*`, Resource: '*' }] }]] }); break }
      case 'slr-scp': { c = mk({ family: 'identity', kind: 'sqs' }); const arn = `arn:aws:iam::${A}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig`; Object.assign(c, { principal: arn, context: derivedContext({ kind: 'role', arn, roleArn: arn, account: A, id: 'AROASLR', name: 'AWSServiceRoleForConfig' }, A), identity_policies: [ALLOW_ALL], scps: [[allow({ Effect: 'Deny' })]] }); break }
      case 'arn-variable': { c = mk({ family: 'identity', kind: 'sqs' }); c.identity_policies = [allow({ Condition: { [r.pick(['ArnLike', 'ArnNotLike', 'ArnEquals'])]: { 'aws:PrincipalArn': 'arn:aws:iam::${aws:PrincipalAccount}:*' } } })]; break }
      case 'address': { c = mk({ family: 'identity', kind: 'sqs' }); c.context['aws:SourceIp'] = r.pick(IPS); c.identity_policies = [allow({ Condition: { [r.pick(['IpAddress', 'NotIpAddress'])]: { 'aws:SourceIp': r.pick(['0.0.0.0/0', '::/0', '10.1.2.3', '2001:db8::17']) } } })]; break }
      case 'resource-variable': { c = mk({ family: 'identity', kind: 'sqs' }); c.context['aws:PrincipalTag/team'] = 'red'; c.resource = `arn:aws:sqs:eu-west-1:${A}:team-red`; c.identity_policies = [allow({ Resource: `arn:aws:sqs:*:${A}:team-\${aws:PrincipalTag/team}` })]; break }
      case 'everybody-boundary': { c = mk({ family: 'resource', kind: 'sqs' }); c.identity_policies = []; c.boundary = allow({ Action: 'ec2:*' }); c.resource_policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 'sqs:*', Resource: '*' }] }; break }
      case 'named-session': { c = mk({ family: 'trust' }); const s = principal(r, A, ['role']); Object.assign(c, { principal: s.arn, context: derivedContext(s, c.resource_account), identity_policies: [ALLOW_ALL], resource_policy: { Version: '2012-10-17', Statement: [{ Effect: r.pick(['Allow', 'Deny']), Principal: { AWS: `arn:aws:sts::${A}:assumed-role/${s.name}/someone` }, Action: 'sts:AssumeRole' }] } }); delete c.session_policy; break }
      case 'unresolved-negated': { c = mk({ family: 'identity', kind: 'sqs' }); delete c.context['aws:PrincipalTag/env']; c.context['aws:PrincipalTag/team'] = 'red'; c.identity_policies = [allow({ Condition: { StringNotEquals: { 'aws:PrincipalTag/team': '${aws:PrincipalTag/env}' } } })]; break }
    }
    yield c
  }
}

// ---------------------------------------------------------------- command line
function main(argv) {
  const opt = { files: [], synthetic: 16000, partial: 400, debatable: 0, perAction: 6, full: false, seed: 1, out: null }
  const number = (v) => { if (!/^\d+$/.test(v ?? '')) { console.error(HELP); process.exit(2) } return Number(v) }
  for (let i = 0; i < argv.length; i++) {
    const a = argv[i]
    if (a === '--synthetic') opt.synthetic = number(argv[++i])
    else if (a === '--partial') opt.partial = number(argv[++i])
    else if (a === '--debatable') opt.debatable = number(argv[++i])
    else if (a === '--per-action') opt.perAction = number(argv[++i])
    else if (a === '--seed') opt.seed = number(argv[++i])
    else if (a === '--full') opt.full = true
    else if (a === '-o') opt.out = argv[++i]
    else if (a.startsWith('-')) { console.error(HELP); process.exit(a === '--help' || a === '-h' ? 0 : 2) }
    else opt.files.push(a)
  }
  const fd = opt.out ? fs.openSync(opt.out, 'w') : 1
  let buffer = [], size = 0, count = 0
  const flush = () => { let b = Buffer.from(buffer.join('')); while (b.length) { try { b = b.subarray(fs.writeSync(fd, b)) } catch (e) { if (e.code !== 'EAGAIN') throw e } } buffer = []; size = 0 }
  const emit = (c) => { const line = JSON.stringify(c) + '\n'; buffer.push(line); size += line.length; count++; if (size > 1 << 20) flush() }
  const counts = {}
  const take = (name, gen) => { const before = count; for (const c of gen) emit(c); counts[name] = count - before }
  opt.files.forEach((f, i) => take(f, dumpQuestions(f, i, opt)))
  take('synthetic', synthetic(opt)); take('partial', partial(opt)); take('debatable', debatable(opt))
  flush()
  console.error(Object.entries(counts).map(([k, v]) => `${v} ${k}`).join(', ') + `: ${count} cases`)
}
main(process.argv.slice(2))
