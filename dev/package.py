"""The zip that `sam deploy` uploads, and the hash by which Lambda knows it."""

import base64
import hashlib
from pathlib import Path

from dev.places import PROGRAM


def packed(build: Path, into: Path) -> Path:
    """Packs what was built with SAM's own function. SAM dates every file 1980, so the time does not matter."""
    from samcli.lib.package.utils import make_zip_with_lambda_permissions  # slow, and most commands do without

    return Path(make_zip_with_lambda_permissions(str(into), str((build / PROGRAM).parent)))


def code_sha256(package: Path) -> str:
    """What `aws lambda get-function-configuration --query CodeSha256` answers for this zip."""
    return base64.b64encode(hashlib.sha256(package.read_bytes()).digest()).decode()
