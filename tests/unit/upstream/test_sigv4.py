"""Signature Version 4 against AWS's published test suite, and the request signer against its own parts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from turnout.config import schema
from turnout.upstream.catalog import CatalogError, build
from turnout.upstream.known import Known
from turnout.upstream.prices import PriceBook
from turnout.upstream.signers import aws_sigv4, request_signer
from turnout.upstream.sigv4 import (
    Credentials,
    canonical_request,
    read_credentials,
    region_of,
    sign,
)
from turnout.wire.registry import PROVIDERS

KEYS = Credentials(
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)  # the suite's own, of no account
AT_S = 1_440_938_160  # 2015-08-30T12:36:00Z


def signature(method: str, path: str = "/", query: str = "", body: bytes = b"", **headers: str) -> str:
    lines = sign(
        method=method,
        host="example.amazonaws.com",
        path=path,
        query=query,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body,
        credentials=KEYS,
        region="us-east-1",
        service="service",
        unix_s=AT_S,
    )
    return lines.decode().rstrip("\r\n").rpartition("Signature=")[2]


VECTORS = {
    "get-vanilla": (
        signature("GET"),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "post-vanilla": (
        signature("POST"),
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "get-vanilla-query-order-key-case": (
        signature("GET", query="Param2=value2&Param1=value1"),
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-utf8": (
        signature("GET", path="/\u1234"),
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    "get-relative": (
        signature("GET", path="/example/.."),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-slashes": (
        signature("GET", path="//example//"),
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    "post-x-www-form-urlencoded": (
        signature("POST", body=b"Param1=value1", content_type="application/x-www-form-urlencoded"),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "post-header-key-sort": (
        signature("POST", My_Header1="value1"),
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_vectors(name: str) -> None:
    found, expected = VECTORS[name]
    assert found == expected


def test_the_path_is_encoded_once_more_than_it_is_sent() -> None:
    text = canonical_request("POST", "/model/anthropic.claude-v2%3A1/converse", "", {"host": "h"}, b"{}")
    assert text.split(b"\n")[1] == b"/model/anthropic.claude-v2%253A1/converse"
    assert text.endswith(hashlib.sha256(b"{}").hexdigest().encode())


def test_a_session_token_is_sent_and_signed() -> None:
    lines = sign(
        method="POST",
        host="h",
        path="/",
        query="",
        headers={},
        body=b"",
        credentials=Credentials("A", "S", "T"),
        region="eu-west-1",
        service="bedrock",
        unix_s=AT_S,
    ).decode()
    assert "x-amz-security-token: T\r\n" in lines
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in lines
    assert "/20150830/eu-west-1/bedrock/aws4_request" in lines


def test_credentials_are_read_and_never_shown() -> None:
    assert read_credentials("A:S/+x") == Credentials("A", "S/+x")
    assert read_credentials("A:S:T").session_token == "T"
    assert "/+x" not in repr(Credentials("A", "S/+x"))
    for text in ("", "qqq", "qqq:", ":qqq", "qqq:S:T:U", "qqq:S\r\nx: y"):
        with pytest.raises(ValueError, match="ACCESS_KEY_ID") as caught:
            read_credentials(text)
        assert "qqq" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("vpce-0a1b.bedrock-runtime.ap-south-1.vpce.amazonaws.com", "ap-south-1"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("127.0.0.1:8080", "us-east-1"),
    ],
)
def test_the_region_is_the_hosts(host: str, region: str) -> None:
    assert region_of(host) == region


def test_each_request_is_signed_with_its_own_time_and_body() -> None:
    now_s = float(AT_S)
    signer = aws_sigv4("A:S", "bedrock-runtime.us-west-2.amazonaws.com", lambda: now_s)
    first = signer("/model/m%3A0/converse", b"{}")
    assert b"x-amz-date: 20150830T123600Z\r\n" in first and b"/us-west-2/bedrock/" in first
    assert signer("/model/m%3A0/converse", b"{}") == first
    assert signer("/model/m%3A0/converse", b"[]") != first
    now_s += 1
    assert b"x-amz-date: 20150830T123601Z\r\n" in signer("/model/m%3A0/converse", b"{}")


def test_only_schemes_that_need_the_request_have_a_request_signer() -> None:
    assert request_signer("bearer", "A:S", "h") is None
    assert request_signer("sigv4", None, "h") is None
    assert request_signer("sigv4", "A:S", "h") is not None


def test_a_credential_of_another_form_is_refused_when_the_configuration_is_loaded() -> None:
    config = schema.Config(
        providers={"amazon": schema.Provider("bedrock", "http://127.0.0.1:1", "qqq")},
        models={"m": schema.Model("amazon")},
    )
    with pytest.raises(CatalogError, match=r"providers\.amazon\.api_key: an AWS credential is") as caught:
        build(config, Known({}, {}), PriceBook(), PROVIDERS, datetime.now(UTC))
    assert "qqq" not in str(caught.value)
