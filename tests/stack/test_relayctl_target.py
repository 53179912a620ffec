"""Which account, region and endpoints relayctl uses: profiles, proxies, CA bundles, FIPS and dual-stack."""

import os
import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from repair import Site, make_site, serving
from tls_proxy import listening

from dev.emulator import Emulator

pytestmark = pytest.mark.extended

OTHER_ACCOUNT = "222222222222"
AWS = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
"""Without the emulator's endpoint."""
CONFIG = f"""
[default]
region = us-east-1
[profile other]
region = us-east-1
aws_access_key_id = {OTHER_ACCOUNT}
aws_secret_access_key = test
[profile 50%]
region = us-east-1
aws_access_key_id = test
aws_secret_access_key = test
[profile mfa]
role_arn = arn:aws:iam::{OTHER_ACCOUNT}:role/admin
source_profile = other
mfa_serial = arn:aws:iam::{OTHER_ACCOUNT}:mfa/me
[profile above-mfa]
role_arn = arn:aws:iam::{OTHER_ACCOUNT}:role/reader
source_profile = mfa
"""


@pytest.fixture(scope="module")
def site(running: Emulator, relayctl: Path) -> Site:
    return make_site(running, relayctl, "target", "fifo")


@pytest.fixture
def config(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return {"AWS_CONFIG_FILE": str(path)}


def test_an_explicit_profile_comes_before_keys_in_the_environment(site: Site, config: dict[str, str]) -> None:
    assert site.run("count", **config).status == 0
    assert "there is no stack target in us-east-1" in site.run("count", "--profile", "other", **config).error
    # As with the AWS CLI, keys in the environment come before AWS_PROFILE.
    assert site.run("count", AWS_PROFILE="other", **config).status == 0
    keyless = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "other"}
    assert "there is no stack target" in site.run("count", **keyless, **config).error

    for arguments, variables in (["--profile", "production"], {}), ([], {"AWS_PROFILE": "production"}):
        unknown = site.run("redrive", "all", *arguments, **variables, **config).error
        said = "the AWS profile production does not exist; aws configure list-profiles lists yours"
        assert unknown == f"relayctl: {said}\n"


@pytest.mark.parametrize("profile", ["mfa", "above-mfa"])
def test_a_profile_that_needs_an_mfa_code_says_what_to_do_instead(
    site: Site, config: dict[str, str], profile: str
) -> None:
    line = site.run("count", "--profile", profile, **config).error
    assert line.startswith(
        f"relayctl: the AWS profile {profile} needs an MFA code, which the AWS SDK for Rust cannot ask for"
    )
    assert f"aws configure export-credentials --format env --profile {profile}" in line


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"AWS_ENDPOINT_URL": "nonsense"}, "endpoint must contain scheme"),
        ({"AWS_REGION": "not a region"}, "must be a valid host label"),
    ],
)
def test_an_address_that_cannot_be_is_an_error_of_one_sentence(
    site: Site, variables: dict[str, str], says: str
) -> None:
    line = site.run("count", **variables).error
    assert says in line and "check the network, the region and AWS_ENDPOINT_URL" in line and len(line) < 200


def test_a_change_says_first_what_it_is_about(site: Site, config: dict[str, str]) -> None:
    text = site.run("redrive", "all", "--profile", "50%", **config)
    assert (text.status, text.err) == (0, site.target)
    done = site.run("redrive", "all", "--json")
    assert (done.status, done.err) == (0, site.target)
    assert done.summary["target"] == {"account": "000000000000", "region": "us-east-1", "stack": "target"}


def test_a_printed_command_keeps_the_options_and_quotes_them(
    running: Emulator, relayctl: Path, config: dict[str, str]
) -> None:
    site = make_site(running, relayctl, "printed", "fifo")
    site.client("sqs").delete_queue(QueueUrl=site.stack.dead_letter_queue_url("review"))
    options = ["--stack", "printed", "--profile", "50%", "--region", "us-east-1"]
    for command in (["redrive", "review"], ["count"]):
        done = site.run(*command, *options, RELAY_STACK="", **config)
        assert "; relayctl doctor --stack printed --profile '50%' --region us-east-1 " in done.err, done


# ---- proxies


class Proxy:
    """Notes whom it is asked to connect to, and refuses."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler, _: bytes) -> tuple[int, bytes]:
        self.asked.append(request.path)
        return 502, b""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    with serving(proxy.answer) as proxy.url:
        yield proxy


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        (AWS, "cloudformation.us-east-1.amazonaws.com:443"),
        ({**AWS, "AWS_USE_FIPS_ENDPOINT": "true"}, "cloudformation-fips.us-east-1.amazonaws.com:443"),
        ({**AWS, "AWS_USE_DUALSTACK_ENDPOINT": "true"}, "cloudformation.us-east-1.api.aws:443"),
        ({"AWS_ENDPOINT_URL": "https://aws.invalid"}, "aws.invalid:443"),
    ],
)
def test_aws_is_reached_through_the_proxy_at_the_endpoint_of_the_settings(
    site: Site, proxy: Proxy, variables: dict[str, str], host: str
) -> None:
    line = site.run("count", HTTPS_PROXY=proxy.url, **variables).error
    assert "no response from AWS to cloudformation:DescribeStacks" in line
    assert set(proxy.asked) == {host}


def test_no_proxy_is_respected(site: Site, proxy: Proxy) -> None:
    variables = {"HTTPS_PROXY": proxy.url, "NO_PROXY": ".invalid", "AWS_ENDPOINT_URL": "https://aws.invalid"}
    assert "no response from AWS" in site.run("count", **variables).error
    assert proxy.asked == []


def test_the_relay_is_reached_through_the_proxy_too(running: Emulator, relayctl: Path, proxy: Proxy) -> None:
    site = make_site(running, relayctl, "proxied", "fifo", url="https://relay.invalid")
    for no_proxy in ("", "relay.invalid"):
        assert site.run("send", "-", given="{}", HTTPS_PROXY=proxy.url, NO_PROXY=no_proxy).status == 1
        assert proxy.asked == ["relay.invalid:443"]


# ---- certificate authorities


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, with its key."""
    folder = tmp_path_factory.mktemp("authority")
    arguments = "-newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 2 -subj /CN=company"
    arguments += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    program = ["openssl", "req", "-x509", *arguments.split()]
    subprocess.run(program, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def https(site: Site, authority: Path) -> Iterator[str]:
    """The emulator over TLS, with a certificate that no system trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "key.pem")
    with listening(context) as proxy:
        proxy.forward_to(site.stack.emulator.endpoint)
        yield proxy.url


def test_the_certificate_authorities_of_the_settings_are_trusted_and_no_others(
    site: Site, https: str, authority: Path, tmp_path: Path
) -> None:
    assert "certificate" in site.run("count", AWS_ENDPOINT_URL=https).error
    bundle = str(authority / "ca.pem")
    assert site.run("count", AWS_ENDPOINT_URL=https, AWS_CA_BUNDLE=bundle).status == 0
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {bundle}\n")
    assert site.run("count", AWS_ENDPOINT_URL=https, AWS_CONFIG_FILE=str(config)).status == 0


def test_a_bundle_that_cannot_be_used_is_named(site: Site, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    assert f"AWS_CA_BUNDLE {missing}: No such file" in site.run("count", AWS_CA_BUNDLE=missing).error
    assert f"AWS_CA_BUNDLE {os.devnull}: it has no certificate" in site.run("count", AWS_CA_BUNDLE=os.devnull).error
