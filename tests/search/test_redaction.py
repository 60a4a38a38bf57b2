"""Secrets in URIs are never shown, and what is none stays readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.redaction import holds_secret, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:pw@host:5000/x", "http://***@host:5000/x"),
        ("https://token@host", "https://***@host"),
        ("postgresql+psycopg2://u:p@ss@host/db", "postgresql+psycopg2://***@host/db"),
        ("postgresql://u:p/w@h/db", "postgresql://***@h/db"),
        ("postgresql://u:1/2@h:5432/db", "postgresql://***@h:5432/db"),
        ("postgresql://u:p w@h/db", "postgresql://***@h/db"),
        ("mysql://host/db?user=u&password=secret&ssl=1", "mysql://host/db?user=u&password=***&ssl=1"),
        ("mysql+pymysql://h/db?passwd=S", "mysql+pymysql://h/db?passwd=***"),
        ("postgresql://h/db?user=u&sslpassword=S", "postgresql://h/db?user=u&sslpassword=***"),
        ("http://h/?token=S", "http://h/?token=***"),
        ("http://h/?a=1&access_token=S&b=2", "http://h/?a=1&access_token=***&b=2"),
        ("http://h/?api_key=S", "http://h/?api_key=***"),
        ("http://h/?apikey=S;secret=T", "http://h/?apikey=***;secret=***"),
        ("https://s3/x?X-Amz-Signature=S&X-Amz-Credential=T", "https://s3/x?X-Amz-Signature=***"
         "&X-Amz-Credential=***"),
        ("mssql+pyodbc://?odbc_connect=DRIVER%3Dx%3BUID%3Du%3BPWD%3Dp%2Fw%3BSERVER%3Dh",
         "mssql+pyodbc://?odbc_connect=DRIVER%3Dx%3BUID%3Du%3BPWD%3D***%3BSERVER%3Dh"),
        ("mssql+pyodbc://?odbc_connect=PWD%3D%7Ba%3Bb%7D%3BSERVER%3Dh",
         "mssql+pyodbc://?odbc_connect=PWD%3D***%3BSERVER%3Dh"),
        ("Driver=x;PWD={a;b};Server=h", "Driver=x;PWD=***;Server=h"),
        ("cannot reach http://a:b@h, not c@d", "cannot reach http://***@h, not c@d"),
        ("postgresql://a:b@h and http://c:d@i", "postgresql://***@h and http://***@i"),
    ],
)  # fmt: skip
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert holds_secret(text)
    assert not holds_secret(shown), "what is shown may be shown"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///mlflow.db",
        "sqlite:////home/me@work/runs.db",
        "http://host:5000/a@b",
        "http://[::1]:5000/",
        "postgresql://host:5432/db?sslmode=require",
        "ask me@example.org; max_tokens=3",
        "k=10 gamma=0.1",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


_SECRET = st.text("abcXYZ019-_.!*'()+", min_size=4, max_size=12).map(lambda text: f"q{text}Q")


@given(
    _SECRET,
    st.sampled_from(
        [
            "http://u:{}@h/",
            "https://{}@h/x",
            "postgresql://u:{}/{}@h/db",
            "mysql+pymysql://h/db?user=u&passwd={}&x=1",
            "mssql+pyodbc://?odbc_connect=UID%3Du%3BPWD%3D{}%3BX%3D1",
            "http://h/?x=1&client_secret={}",
        ]
    ),
    st.sampled_from(["", "cannot reach ", "{'uri': '"]),
)
def test_no_secret_comes_through(secret: str, form: str, before: str) -> None:
    text = before + form.replace("{}", secret)
    assert secret not in redact(text)
