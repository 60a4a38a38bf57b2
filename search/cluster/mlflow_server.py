"""The MLflow server of a cluster's head.

PostgreSQL stands behind it, basic authentication before it.

    python -m search.cluster.mlflow_server passwords    a file of variables, for ~/.foldrace/env
    python -m search.cluster.mlflow_server sql          makes the role and the database, for psql
    python -m search.cluster.mlflow_server serve        runs the server, on the loopback alone

Passwords come from the environment, never from a command line, which every user of the machine can
read.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from search.errors import InputError

_ROLE = _DATABASE = "mlflow"
_USER = "admin"


def passwords() -> str:
    """Fresh passwords as lines of a shell's variables."""
    return (
        f"MLFLOW_TRACKING_USERNAME={_USER}\n"
        f"MLFLOW_TRACKING_PASSWORD={secrets.token_urlsafe(24)}\n"
        f"MLFLOW_FLASK_SERVER_SECRET_KEY={secrets.token_urlsafe(24)}\n"
        f"FOLDRACE_DATABASE_PASSWORD={secrets.token_urlsafe(24)}\n"
    )


def _given(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value or not all(letter.isalnum() or letter in "-_" for letter in value):
        raise InputError(
            f"{name} must be set, to letters, digits, - and _ alone: "
            "`python -m search.cluster.mlflow_server passwords` draws one."
        )
    return value


def sql(environment: Mapping[str, str]) -> str:
    """SQL that makes the role and database, and sets the password.

    Raises:
        InputError: if the password is missing or has letters that SQL could trip over.
    """
    password = _given(environment, "FOLDRACE_DATABASE_PASSWORD")
    return (
        f"SELECT 'CREATE ROLE {_ROLE} LOGIN' WHERE NOT EXISTS "
        f"(SELECT FROM pg_roles WHERE rolname = '{_ROLE}')\\gexec\n"
        f"ALTER ROLE {_ROLE} PASSWORD '{password}';\n"
        f"SELECT 'CREATE DATABASE {_DATABASE} OWNER {_ROLE}' WHERE NOT EXISTS "
        f"(SELECT FROM pg_database WHERE datname = '{_DATABASE}')\\gexec\n"
    )


def command(
    environment: Mapping[str, str], folder: Path, port: int, database: str
) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of the server.

    Args:
        environment: With the passwords.
        folder: For the users' database, the artifacts, and the server's settings.
        port: Port of the loopback.
        database: Host and port of PostgreSQL, or its socket's folder.

    Raises:
        InputError: if a password is missing.
    """
    user = environment.get("MLFLOW_TRACKING_USERNAME") or _USER
    password = _given(environment, "MLFLOW_TRACKING_PASSWORD")
    secret = _given(environment, "FOLDRACE_DATABASE_PASSWORD")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    settings = folder / "basic_auth.ini"
    settings.touch(mode=0o600)
    settings.write_text(
        "[mlflow]\n"
        "default_permission = NO_PERMISSIONS\n"
        f"database_uri = sqlite:///{folder}/users.db\n"
        f"admin_username = {user}\n"
        f"admin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    # The driver by name: SQLAlchemy 2.1 means psycopg where none is named.
    if database.startswith("/"):
        store = f"postgresql+psycopg2://{_ROLE}:{quote(secret)}@/{_DATABASE}?host={quote(database)}"
    else:
        store = f"postgresql+psycopg2://{_ROLE}:{quote(secret)}@{database}/{_DATABASE}"
    words = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    words += ["--artifacts-destination", str(folder / "artifacts")]
    words += ["--host", "127.0.0.1", "--port", str(port)]
    settings_of = {
        # Not on the command line: it holds the database's password.
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return words, {**environment, **settings_of}


def main(words: list[str]) -> int:
    """Run one of the three."""
    try:
        if words == ["passwords"]:
            sys.stdout.write(passwords())
        elif words == ["sql"]:
            sys.stdout.write(sql(os.environ))
        elif words == ["serve"]:
            made, environment = command(
                os.environ, Path.home() / ".foldrace" / "mlflow", 5000, "127.0.0.1:5432"
            )
            os.chdir(tempfile.gettempdir())
            os.execve(made[0], made, environment)
        else:
            sys.stderr.write("python -m search.cluster.mlflow_server passwords|sql|serve\n")
            return 2
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
