"""What is deployed agrees with itself and with the code: settings, roles, timeouts, routes, on both clouds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from shared.run_job import LATE_SECONDS
from shared.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SETTINGS = {f"TEAL_{name.upper()}" for name in Settings.model_fields}


class _CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, kept as ``{"!Name": value}``."""


def _function(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {f"!{tag}": loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {f"!{tag}": loader.construct_sequence(node, deep=True)}
    raise AssertionError(f"!{tag} of a mapping")


_CloudFormation.add_multi_constructor("!", _function)

TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _CloudFormation)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
CLOUD_BUILD: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
STEPS = ("deploy-query", "deploy-work", "deploy-ingest", "deploy-tidy")


def of_type(kind: str) -> dict[str, Any]:
    """Properties by logical id."""
    return {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"] == kind}


def statements() -> list[tuple[str, dict[str, Any]]]:
    """Every statement of every role, with the role's name."""
    return [
        (name, statement)
        for name, role in of_type("AWS::IAM::Role").items()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def google_environment(step_id: str) -> dict[str, str]:
    """What ``--set-env-vars`` of one deploy step sets."""
    [step] = [step for step in CLOUD_BUILD["steps"] if step["id"] == step_id]
    [told] = [arg.removeprefix("--set-env-vars=") for arg in step["args"] if arg.startswith("--set-env-vars=")]
    # gcloud's own way to name another separator than the comma, which JSON has too.
    separator, told = (told[1], told[3:]) if told.startswith("^") else (",", told)
    return dict(pair.split("=", 1) for pair in told.split(separator))


def test_every_variable_given_to_a_function_is_a_setting() -> None:
    common = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    for name, function in of_type("AWS::Serverless::Function").items():
        assert set(common) | set(function["Environment"]["Variables"]) <= SETTINGS, name
    for step in STEPS:
        assert set(google_environment(step)) - {"FUNCTION_USE_ASGI"} <= SETTINGS, step


def test_google_settings_are_values_the_settings_take(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in STEPS:
        for name, value in google_environment(step).items():
            monkeypatch.setenv(name, Template(value).safe_substitute(CLOUD_BUILD["substitutions"], PROJECT_ID="shop-1"))
        assert Settings().lake.startswith("gs://")


def test_a_message_stays_hidden_for_six_times_as_long_as_the_function_may_run() -> None:
    hidden = RESOURCES["UploadQueue"]["Properties"]["VisibilityTimeout"]
    assert hidden >= 6 * RESOURCES["IngestFunction"]["Properties"]["Timeout"]


def test_a_job_stays_hidden_while_its_worker_may_run_and_that_is_longer_than_the_question_may() -> None:
    function = RESOURCES["WorkFunction"]["Properties"]
    assert RESOURCES["JobQueue"]["Properties"]["VisibilityTimeout"] > function["Timeout"]
    assert function["Timeout"] > TEMPLATE["Parameters"]["JobSeconds"]["MaxValue"] + 2 * LATE_SECONDS
    assert function["Events"]["Jobs"]["Properties"]["BatchSize"] == 1
    [timeout] = [arg for step in CLOUD_BUILD["steps"] if step["id"] == "deploy-work" for arg in step["args"]
                 if arg.startswith("--timeout=")]  # fmt: skip
    seconds = int(google_environment("deploy-work")["TEAL_JOB_SECONDS"])
    assert int(timeout.removeprefix("--timeout=").removesuffix("s")) > seconds + 2 * LATE_SECONDS


def test_only_the_api_submits_jobs_and_on_both_clouds_it_knows_where() -> None:
    telling = [(role, one["Resource"]) for role, one in statements() if "sqs:SendMessage" in as_list(one["Action"])]
    assert telling == [("QueryRole", {"!GetAtt": "JobQueue.Arn"})]
    told = {
        name
        for name, function in of_type("AWS::Serverless::Function").items()
        if "TEAL_JOBS_TO" in function["Environment"]["Variables"]
    }
    assert told == {"QueryFunction"}
    assert [step for step in STEPS if "TEAL_JOBS_TO" in google_environment(step)] == ["deploy-query"]
    [step] = [step for step in CLOUD_BUILD["steps"] if step["id"] == "deploy-work"]
    topic = google_environment("deploy-query")["TEAL_JOBS_TO"].rpartition("/")[2]
    assert f"--trigger-topic={topic}" in step["args"]


def test_a_message_is_tried_five_times_and_then_kept_for_two_weeks() -> None:
    for queue, dead in (("UploadQueue", "DeadLetterQueue"), ("JobQueue", "JobDeadLetterQueue")):
        assert RESOURCES[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"] == 5
        assert RESOURCES[dead]["Properties"]["MessageRetentionPeriod"] == 14 * 86_400


def test_the_api_answers_before_its_gateway_gives_up() -> None:
    assert (
        RESOURCES["QueryFunction"]["Properties"]["Timeout"] * 1000
        < RESOURCES["ApiIntegration"]["Properties"]["TimeoutInMillis"]
    )


def test_no_role_has_a_wildcard_resource_or_action() -> None:
    for role, statement in statements():
        for resource in as_list(statement["Resource"]):
            text = next(iter(resource.values())) if isinstance(resource, dict) else resource
            assert re.match(r"(\$\{\w+\.Arn\}/[a-z.]+|\w+\.(Topic)?Arn$)", text), (role, text)
        assert not [action for action in as_list(statement["Action"]) if "*" in action], role


def test_only_ingest_and_tidy_write_data() -> None:
    def writable(role: str) -> set[str]:
        return {
            next(iter(resource.values()))
            for name, statement in statements()
            if name == role and statement["Effect"] == "Allow" and "s3:PutObject" in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }

    assert writable("QueryRole") == {
        "${LakeBucket.Arn}/lake/*/answers/*",
        "${LakeBucket.Arn}/uploads/*",
        "${LakeBucket.Arn}/usage/*",
        "${LakeBucket.Arn}/audit/*",
        "${LakeBucket.Arn}/jobs/*",
        "${LakeBucket.Arn}/spent/*",
        "${LakeBucket.Arn}/keys/signing.secret",
        "${LakeBucket.Arn}/keys/*",
        "${LakeBucket.Arn}/tenants/*",
        "${LakeBucket.Arn}/exports/*",
        "${LakeBucket.Arn}/lake/*/erasure.secret",
        "${InboxBucket.Arn}/inbox/*",
    }
    assert writable("WorkRole") == {
        "${LakeBucket.Arn}/lake/*/answers/*",
        "${LakeBucket.Arn}/jobs/*",
        "${LakeBucket.Arn}/spent/*",
        "${LakeBucket.Arn}/audit/*",
    }
    assert "${LakeBucket.Arn}/lake/*" in writable("IngestRole") & writable("TidyRole")
    assert not [resource for resource in writable("IngestRole") | writable("TidyRole") if "keys/" in resource]


def test_only_ingest_may_tell_the_world_and_only_through_this_topic() -> None:
    telling = [(role, one) for role, one in statements() if any("sns:" in what for what in as_list(one["Action"]))]
    [(role, statement)] = telling
    assert role == "IngestRole"
    assert (statement["Action"], statement["Resource"]) == ("sns:Publish", {"!GetAtt": "UploadTopic.TopicArn"})
    assert RESOURCES["UploadTopic"]["Properties"]["KmsMasterKeyId"]
    listening = [
        name
        for name, function in of_type("AWS::Serverless::Function").items()
        if "TEAL_ANNOUNCE_TO" in function["Environment"]["Variables"]
    ]
    assert listening == ["IngestFunction"]
    assert [step for step in STEPS if "TEAL_ANNOUNCE_TO" in google_environment(step)] == ["deploy-ingest"]


def test_every_queue_is_encrypted_and_the_topic_too() -> None:
    for name, queue in of_type("AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, name
    for name, topic in of_type("AWS::SNS::Topic").items():
        assert topic["KmsMasterKeyId"] == "alias/aws/sns", name


def test_there_is_a_schedule_for_tidying_on_both_clouds() -> None:
    [event] = RESOURCES["TidyFunction"]["Properties"]["Events"].values()
    assert (event["Type"], event["Properties"]["Schedule"]) == ("Schedule", {"!Ref": "TidySchedule"})
    assert "_TIDY_SCHEDULE" in CLOUD_BUILD["substitutions"]
    assert any(step["id"] == "schedule-tidy" for step in CLOUD_BUILD["steps"])


def test_every_path_of_the_api_has_a_route_of_the_gateway_and_no_route_leads_nowhere() -> None:
    keys = [route["RouteKey"] for route in of_type("AWS::ApiGatewayV2::Route").values()]
    assert all(key.startswith("ANY ") for key in keys), "the API itself says which methods a path has"
    patterns = {key: gateway_pattern(key.removeprefix("ANY ")) for key in keys}
    paths = deployed_paths()
    assert len(paths) > 20
    assert [path for path in paths if not any(pattern.fullmatch(path) for pattern in patterns.values())] == []
    assert [key for key, pattern in patterns.items() if not any(pattern.fullmatch(path) for path in paths)] == []


def test_a_path_without_a_route_is_seen() -> None:
    assert gateway_pattern("/v1/{proxy+}").fullmatch("/v1/datasets/{dataset}/rows")
    assert not gateway_pattern("/v1/{proxy+}").fullmatch("/v1")
    assert not gateway_pattern("/v1/{proxy+}").fullmatch("/v2/datasets")
    assert not gateway_pattern("/").fullmatch("/metrics")


def gateway_pattern(path: str) -> re.Pattern[str]:
    """What a route key's path matches: {name} one part, {name+} one or more."""
    parts = re.split(r"(\{\w+\+?\})", path)
    return re.compile("".join(re.escape(p) if not p.startswith("{") else ".+" if "+" in p else "[^/]+" for p in parts))


def deployed_paths() -> list[str]:
    """The paths of the API as it is in the cloud, where the inbox is a bucket; made without asking it anything."""
    code = "import json; from shared.bootstrap import api; print(json.dumps([r[1] for r in api().state.routes]))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEAL_")}
    told = {"TEAL_LAKE": "s3://lake", "TEAL_INBOX": "s3://inbox", "TEAL_SIGNING_SECRET": "of-the-tests-of-the-paths"}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=kept | told, capture_output=True, check=True)
    return sorted(set(json.loads(ran.stdout)))


def test_every_bucket_is_private_encrypted_and_versioned() -> None:
    for name, bucket in of_type("AWS::S3::Bucket").items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"], name
        assert RESOURCES[name]["DeletionPolicy"] == "Retain", name


def test_every_function_has_a_log_group_that_forgets_and_an_alarm() -> None:
    groups = {
        group["LogGroupName"]["!Sub"]: group["RetentionInDays"] for group in of_type("AWS::Logs::LogGroup").values()
    }
    watched = str([alarm["Dimensions"] for alarm in of_type("AWS::CloudWatch::Alarm").values()])
    for name, function in of_type("AWS::Serverless::Function").items():
        assert "/aws/lambda/" + function["FunctionName"]["!Sub"] in groups
        assert f"'!Ref': '{name}'" in watched
    assert "'DeadLetterQueue.QueueName'" in watched
    assert "'JobDeadLetterQueue.QueueName'" in watched
    assert set(map(str, groups.values())) == {"{'!Ref': 'LogRetentionDays'}"}


def test_handlers_of_both_clouds_exist() -> None:
    for function in of_type("AWS::Serverless::Function").values():
        module, _, name = function["Handler"].rpartition(".")
        assert re.search(rf"^(def {name}\(|{name} = )", (ROOT / (module.replace(".", "/") + ".py")).read_text(), re.M)
    for step in CLOUD_BUILD["steps"]:
        for entry in (arg.removeprefix("--entry-point=") for arg in step.get("args", []) if "--entry-point=" in arg):
            assert re.search(rf"def {entry}\(", (ROOT / "functions" / entry / "main.py").read_text())


def test_both_clouds_run_the_same_python_and_never_one_with_an_old_c_library() -> None:
    runtime = TEMPLATE["Globals"]["Function"]["Runtime"]
    assert runtime in ("python3.12", "python3.13")
    told = {arg for step in CLOUD_BUILD["steps"] for arg in step.get("args", []) if arg.startswith("--runtime=")}
    assert told == {"--runtime=" + runtime.replace(".", "")}


def test_the_make_targets_are_the_functions() -> None:
    targets = set(re.findall(r"^build-(\w+):", (ROOT / "functions" / "Makefile").read_text(), re.M))
    assert targets == set(of_type("AWS::Serverless::Function"))


@pytest.mark.parametrize(
    "command",
    [
        ["cfn-lint", "template.yaml"],
        ["check-jsonschema", "--builtin-schema", "vendor.cloudbuild", "cloudbuild.yaml"],
    ],
    ids=lambda command: command[0],
)
def test_the_clouds_own_schemas_accept_it(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    ran = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_only_keys_that_mean_something_are_in_the_template() -> None:
    """An unquoted comma in a flow mapping makes a key without a value, and no linter minds."""

    def empty(value: Any, path: str) -> list[str]:
        if isinstance(value, dict):
            return [found for key, item in value.items() for found in empty(item, f"{path}/{key}")]
        if isinstance(value, list):
            return [found for index, item in enumerate(value) for found in empty(item, f"{path}/{index}")]
        return [path] if value is None else []

    assert empty(TEMPLATE, "") == []
    assert empty(yaml.safe_load("{Description: Compact, expire}"), "") == ["/expire"]
