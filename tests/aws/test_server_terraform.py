"""Terraform's own AWS provider on the test server: a client that we did not write, and that knows AWS well."""

import glob
import os
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
# where the provider is unpacked: folders that hold registry.terraform.io/hashicorp/aws
MIRRORS = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/share/terraform/plugins",
           "/usr/local/share/terraform/plugins", "/opt/*")
# codes that blame the client: none of its requests may have broken a rule of ours
MISTAKES = ("SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "ValidationException", "ValidationError", "MalformedXML",
            "InvalidArgument", "InvalidParameterValue", "InvalidParameterCombination", "InvalidRequestException", "UnknownParameter",
            "SerializationException", "MissingParameter")


def mirror():
    """Folder with Terraform's AWS provider, or None."""
    named = os.environ.get("SF_TERRAFORM_MIRROR")
    for pattern in [named] if named else MIRRORS:
        for folder in glob.glob(os.path.expanduser(pattern)):
            if os.path.isdir(f"{folder}/registry.terraform.io/hashicorp/aws"):
                return folder
    return None


class Terraform:
    """main.tf in a folder of its own, on the server."""

    def __init__(self, server, folder):
        if not shutil.which("terraform"):
            pytest.skip("terraform is not installed")
        plugins = mirror()
        if not plugins:
            pytest.skip("Terraform's AWS provider is not unpacked: SF_TERRAFORM_MIRROR=DIR names a folder with registry.terraform.io/")
        self.folder = str(folder)
        shutil.copy(f"{HERE}/terraform/main.tf", self.folder)
        with open(f"{self.folder}/terraform.rc", "w") as file:
            file.write(f'provider_installation {{\n  filesystem_mirror {{ path = "{plugins}" }}\n}}\n')
        keys = {}
        for name in ("host", "other_host", "user", "other_user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{name}"], check=True)
            for kind in ("", ".pub"):
                with open(f"{self.folder}/{name}{kind}") as file:
                    keys[name + kind] = file.read()
        self.env = {**os.environ, **server.env, "TF_CLI_CONFIG_FILE": f"{self.folder}/terraform.rc", "CHECKPOINT_DISABLE": "1",
                    "TF_IN_AUTOMATION": "1", "TF_VAR_host_key": keys["host"], "TF_VAR_other_host_key": keys["other_host"],
                    "TF_VAR_public_key": keys["user.pub"], "TF_VAR_other_public_key": keys["other_user.pub"]}
        self.run("init")

    def run(self, verb, *options, code=0, **variables):
        """What it printed; it must end with `code`."""
        chosen = [f"-var={name}={str(value).lower()}" for name, value in variables.items()]
        done = subprocess.run(["terraform", verb, "-no-color", "-input=false", *options, *chosen], cwd=self.folder, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        assert done.returncode == code, f"{verb}: exit {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout


@pytest.fixture
def terraform(aws_server, tmp_path):
    aws_server.control("POST", "reset")
    aws_server.control("POST", "settings", {"seconds_per_wall_ms": 1})  # it waits between its looks
    yield Terraform(aws_server, tmp_path)
    assert aws_server.control("GET", "problems") == []


def cycle(terraform, server, **variables):
    terraform.run("apply", "-auto-approve", **variables)
    terraform.run("plan", "-detailed-exitcode", **variables)
    terraform.run("apply", "-auto-approve", changed=True, **variables)
    terraform.run("plan", "-detailed-exitcode", changed=True, **variables)
    terraform.run("destroy", "-auto-approve", changed=True, **variables)
    assert server.control("GET", "inventory") == {}


def test_terraform_makes_changes_and_removes_everything_and_plans_nothing_in_between(terraform, aws_server):
    cycle(terraform, aws_server)
    assert [call for call in aws_server.control("GET", "log") if call["code"] in MISTAKES] == []


@pytest.mark.skipif(not os.environ.get("SF_SLOW"), reason="takes two minutes, most of which Terraform waits; SF_SLOW=1 runs it")
def test_terraform_keeps_lifecycle_rules_of_a_bucket(terraform, aws_server):
    cycle(terraform, aws_server, lifecycle_rules=True)
