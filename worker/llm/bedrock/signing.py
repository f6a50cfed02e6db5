"""Who asks: AWS's usual chain of credentials, which boto3 walks.

boto3 finds and renews credentials and signs with them; requests are sent by wire.py. Its own
client cannot give up a call: thread and connection would stay until the server lets go.
"""

import logging
from collections.abc import Mapping
from typing import Literal

import boto3  # noqa: TID251 - this is the module that knows AWS
from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: TID251
from botocore.awsrequest import AWSRequest  # noqa: TID251
from botocore.exceptions import BotoCoreError, NoCredentialsError  # noqa: TID251

from models.errors import ConfigError
from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import brief

Service = Literal["bedrock", "s3"]
"""As signatures name them, whatever the address: runtime and jobs of Bedrock are one."""

_AUTH: Mapping[Service, type[SigV4Auth]] = {"bedrock": SigV4Auth, "s3": S3SigV4Auth}
logging.getLogger("botocore.auth").setLevel(logging.INFO)
"""It would write what is signed into a log, session token included."""

_MEND = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or sign in to it anew"


class Signer:
    """Signs requests to a service in one region.

    `region` and `profile` are the chain's own where they are None. Raises ConfigError where there
    is no such profile, or no region.
    """

    def __init__(
        self, region: str | None, profile: str | None, service: Service = "bedrock"
    ) -> None:
        self._service: Service = service
        self._session = _session(region, profile)
        self.region = region_of(region, profile)

    def __call__(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """The headers to send with a request.

        Blocks while credentials are fetched or renewed. Raises EngineError where there are none.
        """
        request = AWSRequest(method, url, data=body)
        if body:
            request.headers["Content-Type"] = "application/json"
        try:
            found = self._session.get_credentials()
            if found is None:
                raise NoCredentialsError
            sign = _AUTH[self._service]
            sign(found.get_frozen_credentials(), self._service, self.region).add_auth(request)
        except Exception as exc:  # the border: the chain runs programs and asks servers of its own
            said = f"Bedrock in {self.region}: no AWS credentials can be had here, {_MEND}: {exc}"
            raise EngineError(Trouble.AUTH, brief(said)) from exc
        return dict(request.headers.items())


def endpoint(service: Service, region: str, profile: str | None) -> str:
    """Where a service answers, by AWS's own rules and variables: those of another address are
    AWS_ENDPOINT_URL_BEDROCK and AWS_ENDPOINT_URL_S3. Raises ConfigError."""
    client = _session(region, profile).client(service)
    try:
        address: str = client.meta.endpoint_url
        return address
    finally:
        client.close()


def region_of(region: str | None, profile: str | None) -> str:
    """The region that is stated, else the chain's. Raises ConfigError."""
    found = region or _session(None, profile).region_name
    if not found:
        raise ConfigError(
            "engines of kind bedrock need a region: write region = ..., or set AWS_DEFAULT_REGION"
        )
    return found


def _session(region: str | None, profile: str | None) -> boto3.Session:
    try:
        return boto3.Session(region_name=region, profile_name=profile)
    except BotoCoreError as exc:  # no such profile, or a file that cannot be read
        raise ConfigError(f"AWS's configuration: {brief(str(exc))}") from exc
