//! The known ways to gain authority in AWS, as data. Ids are those of the public catalogue at pathfinding.cloud.

/// How a technique works.
#[derive(Debug, Clone, Copy)]
pub(super) enum Technique {
    /// New compute that runs as a role which is passed to a service.
    NewCompute {
        id: &'static str,
        /// The services that the role may be passed to.
        services: &'static [&'static str],
        /// What else is needed: action and the ARN of what is made, `{r}` for region and account.
        actions: &'static [Need],
        /// A thing that must exist already.
        existing: Option<Existing>,
        /// The role must stand in an instance profile.
        instance_profile: bool,
    },
    /// Compute that exists and runs as a role.
    ExistingCompute {
        id: &'static str,
        /// The automation's kind.
        kind: &'static str,
        /// Actions on the automation itself.
        actions: &'static [&'static str],
        /// Actions on things that are made along the way.
        more: &'static [Need],
        /// Something must make it run that isn't the caller.
        triggered: bool,
        /// A role is passed as well, to this service.
        pass: Option<&'static str>,
        /// The ARN that stands for one, where none is known.
        sample: &'static str,
    },
}

/// An action on something new or on anything.
pub(super) type Need = (&'static str, &'static str);

/// What must exist.
#[derive(Debug, Clone, Copy)]
pub(super) struct Existing {
    /// Its kind.
    pub kind: &'static str,
    /// Actions on it.
    pub actions: &'static [&'static str],
    /// It must have registered container instances.
    pub container_instances: bool,
    /// The ARN that stands for one, where none is known.
    pub sample: &'static str,
}

const CLUSTER: &str = "arn:aws:ecs:{r}:cluster/sv0";
const TASK: &str = "arn:aws:ecs:{r}:task-definition/sv0:1";
const FUNCTION: &str = "arn:aws:lambda:{r}:function:sv0";
const JOB: &str = "arn:aws:glue:{r}:job/sv0";
const TRIGGER: &str = "arn:aws:glue:{r}:trigger/sv0";
const PROJECT: &str = "arn:aws:codebuild:{r}:project/sv0";
const INTERPRETER: &str = "arn:aws:bedrock-agentcore:{r}:code-interpreter/sv0-0123456789";
const INSTANCE: &str = "arn:aws:ec2:{r}:instance/i-0123456789abcdef0";
const NOTEBOOK: &str = "arn:aws:sagemaker:{r}:notebook-instance/sv0";
const STACK: &str = "arn:aws:cloudformation:{r}:stack/sv0/0";
const STACK_SET: &str = "arn:aws:cloudformation:{r}:stackset/sv0:0";

const fn new(id: &'static str, services: &'static [&'static str], actions: &'static [Need]) -> Technique {
    Technique::NewCompute { id, services, actions, existing: None, instance_profile: false }
}

const fn existing(
    id: &'static str,
    kind: &'static str,
    actions: &'static [&'static str],
    sample: &'static str,
) -> Technique {
    Technique::ExistingCompute { id, kind, actions, more: &[], triggered: false, pass: None, sample }
}

const fn on_cluster(
    id: &'static str,
    actions: &'static [Need],
    on_cluster: &'static [&'static str],
    container_instances: bool,
) -> Technique {
    Technique::NewCompute {
        id,
        services: &["ecs-tasks.amazonaws.com"],
        actions,
        existing: Some(Existing { kind: "aws.ecs_cluster", actions: on_cluster, container_instances, sample: CLUSTER }),
        instance_profile: false,
    }
}

const fn on_job(id: &'static str, more: &'static [Need]) -> Technique {
    Technique::NewCompute {
        id,
        services: &["glue.amazonaws.com"],
        actions: more,
        existing: Some(Existing {
            kind: "aws.glue_job",
            actions: &["glue:UpdateJob"],
            container_instances: false,
            sample: JOB,
        }),
        instance_profile: false,
    }
}

const EC2: &[&str] = &["ec2.amazonaws.com"];
const LAMBDA: &[&str] = &["lambda.amazonaws.com"];
const GLUE: &[&str] = &["glue.amazonaws.com"];
const SAGEMAKER: &[&str] = &["sagemaker.amazonaws.com"];
const CODEBUILD: &[&str] = &["codebuild.amazonaws.com"];
const ECS: &[&str] = &["ecs-tasks.amazonaws.com"];
const CLOUDFORMATION: &[&str] = &["cloudformation.amazonaws.com"];

pub(super) const TECHNIQUES: &[Technique] = &[
    new(
        "apprunner-001",
        &["tasks.apprunner.amazonaws.com"],
        &[("apprunner:CreateService", "arn:aws:apprunner:{r}:service/sv0/0")],
    ),
    existing(
        "apprunner-002",
        "aws.apprunner_service",
        &["apprunner:UpdateService"],
        "arn:aws:apprunner:{r}:service/sv0/0",
    ),
    new(
        "bedrock-001",
        &["bedrock-agentcore.amazonaws.com"],
        &[
            ("bedrock-agentcore:CreateCodeInterpreter", INTERPRETER),
            ("bedrock-agentcore:StartCodeInterpreterSession", INTERPRETER),
            ("bedrock-agentcore:InvokeCodeInterpreter", INTERPRETER),
        ],
    ),
    existing(
        "bedrock-002",
        "aws.bedrock_code_interpreter",
        &["bedrock-agentcore:StartCodeInterpreterSession", "bedrock-agentcore:InvokeCodeInterpreter"],
        INTERPRETER,
    ),
    new("cloudformation-001", CLOUDFORMATION, &[("cloudformation:CreateStack", STACK)]),
    existing("cloudformation-002", "aws.cloudformation_stack", &["cloudformation:UpdateStack"], STACK),
    new(
        "cloudformation-003",
        CLOUDFORMATION,
        &[("cloudformation:CreateStackSet", STACK_SET), ("cloudformation:CreateStackInstances", STACK_SET)],
    ),
    Technique::ExistingCompute {
        id: "cloudformation-004",
        kind: "aws.cloudformation_stack_set",
        actions: &["cloudformation:UpdateStackSet"],
        more: &[],
        triggered: false,
        pass: Some("cloudformation.amazonaws.com"),
        sample: STACK_SET,
    },
    existing(
        "cloudformation-005",
        "aws.cloudformation_stack",
        &["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"],
        STACK,
    ),
    new("codebuild-001", CODEBUILD, &[("codebuild:CreateProject", PROJECT), ("codebuild:StartBuild", PROJECT)]),
    existing("codebuild-002", "aws.codebuild_project", &["codebuild:StartBuild"], PROJECT),
    existing("codebuild-003", "aws.codebuild_project", &["codebuild:StartBuildBatch"], PROJECT),
    new("codebuild-004", CODEBUILD, &[("codebuild:CreateProject", PROJECT), ("codebuild:StartBuildBatch", PROJECT)]),
    new(
        "datapipeline-001",
        &["datapipeline.amazonaws.com", "elasticmapreduce.amazonaws.com"],
        &[
            ("datapipeline:CreatePipeline", "arn:aws:datapipeline:{r}:pipeline/df-0"),
            ("datapipeline:PutPipelineDefinition", "arn:aws:datapipeline:{r}:pipeline/df-0"),
            ("datapipeline:ActivatePipeline", "arn:aws:datapipeline:{r}:pipeline/df-0"),
        ],
    ),
    Technique::NewCompute {
        id: "ec2-001",
        services: EC2,
        actions: &[("ec2:RunInstances", INSTANCE)],
        existing: None,
        instance_profile: true,
    },
    existing(
        "ec2-002",
        "aws.ec2_instance",
        &["ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"],
        INSTANCE,
    ),
    Technique::NewCompute {
        id: "ec2-003",
        services: EC2,
        actions: &[("ec2:RequestSpotInstances", "arn:aws:ec2:{r}:spot-instances-request/sir-0")],
        existing: None,
        instance_profile: true,
    },
    Technique::ExistingCompute {
        id: "ec2-004",
        kind: "aws.launch_template",
        actions: &["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"],
        more: &[],
        triggered: false,
        pass: None,
        sample: "arn:aws:ec2:{r}:launch-template/lt-0123456789abcdef0",
    },
    existing("ec2instanceconnect-003", "aws.ec2_instance", &["ec2-instance-connect:SendSSHPublicKey"], INSTANCE),
    new(
        "ecs-001",
        ECS,
        &[
            ("ecs:CreateCluster", CLUSTER),
            ("ecs:RegisterTaskDefinition", TASK),
            ("ecs:CreateService", "arn:aws:ecs:{r}:service/sv0/sv0"),
        ],
    ),
    new("ecs-002", ECS, &[("ecs:CreateCluster", CLUSTER), ("ecs:RegisterTaskDefinition", TASK), ("ecs:RunTask", TASK)]),
    on_cluster(
        "ecs-003",
        &[("ecs:RegisterTaskDefinition", TASK), ("ecs:CreateService", "arn:aws:ecs:{r}:service/{c}/sv0")],
        &[],
        false,
    ),
    on_cluster("ecs-004", &[("ecs:RegisterTaskDefinition", TASK), ("ecs:RunTask", TASK)], &[], false),
    on_cluster("ecs-005", &[("ecs:RegisterTaskDefinition", TASK), ("ecs:StartTask", TASK)], &[], true),
    new("glue-001", GLUE, &[("glue:CreateDevEndpoint", "arn:aws:glue:{r}:devEndpoint/sv0")]),
    existing("glue-002", "aws.glue_dev_endpoint", &["glue:UpdateDevEndpoint"], "arn:aws:glue:{r}:devEndpoint/sv0"),
    new("glue-003", GLUE, &[("glue:CreateJob", JOB), ("glue:StartJobRun", JOB)]),
    new("glue-004", GLUE, &[("glue:CreateJob", JOB), ("glue:CreateTrigger", TRIGGER)]),
    Technique::NewCompute {
        id: "glue-005",
        services: GLUE,
        actions: &[],
        existing: Some(Existing {
            kind: "aws.glue_job",
            actions: &["glue:UpdateJob", "glue:StartJobRun"],
            container_instances: false,
            sample: JOB,
        }),
        instance_profile: false,
    },
    on_job("glue-006", &[("glue:CreateTrigger", TRIGGER)]),
    new("lambda-001", LAMBDA, &[("lambda:CreateFunction", FUNCTION), ("lambda:InvokeFunction", FUNCTION)]),
    new("lambda-002", LAMBDA, &[("lambda:CreateFunction", FUNCTION), ("lambda:CreateEventSourceMapping", "*")]),
    Technique::ExistingCompute {
        id: "lambda-003",
        kind: "aws.lambda",
        actions: &["lambda:UpdateFunctionCode"],
        more: &[],
        triggered: true,
        pass: None,
        sample: FUNCTION,
    },
    existing("lambda-004", "aws.lambda", &["lambda:UpdateFunctionCode", "lambda:InvokeFunction"], FUNCTION),
    existing("lambda-005", "aws.lambda", &["lambda:UpdateFunctionCode", "lambda:AddPermission"], FUNCTION),
    new("lambda-006", LAMBDA, &[("lambda:CreateFunction", FUNCTION), ("lambda:AddPermission", FUNCTION)]),
    new("sagemaker-001", SAGEMAKER, &[("sagemaker:CreateNotebookInstance", NOTEBOOK)]),
    new("sagemaker-002", SAGEMAKER, &[("sagemaker:CreateTrainingJob", "arn:aws:sagemaker:{r}:training-job/sv0")]),
    new("sagemaker-003", SAGEMAKER, &[("sagemaker:CreateProcessingJob", "arn:aws:sagemaker:{r}:processing-job/sv0")]),
    existing("sagemaker-004", "aws.sagemaker_notebook", &["sagemaker:CreatePresignedNotebookInstanceUrl"], NOTEBOOK),
    Technique::ExistingCompute {
        id: "sagemaker-005",
        kind: "aws.sagemaker_notebook",
        actions: &[
            "sagemaker:StopNotebookInstance",
            "sagemaker:UpdateNotebookInstance",
            "sagemaker:StartNotebookInstance",
        ],
        more: &[(
            "sagemaker:CreateNotebookInstanceLifecycleConfig",
            "arn:aws:sagemaker:{r}:notebook-instance-lifecycle-config/sv0",
        )],
        triggered: false,
        pass: None,
        sample: NOTEBOOK,
    },
    existing("ssm-001", "aws.ec2_instance", &["ssm:StartSession"], INSTANCE),
    existing("ssm-002", "aws.ec2_instance", &["ssm:SendCommand"], INSTANCE),
];
