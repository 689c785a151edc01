"""A tenant's hub by the Exec dialect, and what tests ask of it."""

import datetime
import itertools
import re

from conftest import ADMIN_KEY, K, Api, UUID, poll

R = "/rest/v1"
H = f"{R}/knowledge-hub"
CODE = re.compile(r"[a-z][0-9a-z]{11}")
SOURCE_FIELDS = {
    "id", "title", "source_type", "status", "content_format", "token_count",
    "has_images", "external_url", "summary", "cover", "folders", "created_by",
    "created_at", "updated_at", "processed_at"}
PAGE_FIELDS = {
    "id", "title", "status", "visibility", "owner", "folders", "skills",
    "source_count", "version", "cover", "published_at", "created_at",
    "updated_at"}
FOLDER_FIELDS = {
    "id", "name", "emoji", "parent", "visibility", "item_count",
    "subfolder_count", "created_at", "updated_at"}
USER_FIELDS = {"id", "email", "first_name", "last_name"}
UNKNOWN = "s0000000000z"


class Hub(Api):
    """One key's view of a server, with the key as Exec's clients send it."""

    def __init__(self, url, key=ADMIN_KEY):
        super().__init__(url, None)
        self.key = key
        if key:
            self.http.headers["authorization"] = f"Bearer {key}"

    def add_url(self, url, title="a page", status=201, **fields):
        return self.ok("POST", f"{H}/sources", status, json={
            "type": "url", "title": title, "url": url, **fields})

    def source(self, source, **query):
        return self.ok("GET", f"{H}/sources/{source}", params=query)

    def ended(self, source, seconds=90):
        """The source, once it is ready or has failed."""
        def look():
            got = self.source(source)
            return got if got["status"] in ("ready", "failed") else None
        return poll(look, seconds, 0.05)

    def ready(self, source, seconds=90):
        got = self.ended(source, seconds)
        assert got["status"] == "ready", got
        return got

    def failed(self, source, seconds=90):
        got = self.ended(source, seconds)
        assert got["status"] == "failed", got
        assert_plain(got["error_message"])
        return got

    def list(self, path, **query):
        """All rows, page by page; totals are checked on the way."""
        rows = []
        for page in itertools.count(1):
            got = self.ok("GET", path, params={**query, "page": page})
            told = got["pagination"]
            assert set(told) == {"page", "page_size", "total_count",
                                 "total_pages"}
            assert told["page"] == page
            assert told["page_size"] == int(query.get("page_size", 50))
            assert told["total_pages"] == \
                -(-told["total_count"] // told["page_size"])
            rows += got["data"]
            if page >= told["total_pages"]:
                assert len(rows) == told["total_count"]
                return rows

    def sources(self, **query):
        return self.list(f"{H}/sources", **query)

    def make_folder(self, name="folder", **fields):
        return self.ok("POST", f"{H}/folders", 201,
                       json={"name": name, **fields})

    def make_page(self, title="page", **fields):
        return self.ok("POST", f"{H}/pages", 201,
                       json={"title": title, **fields})

    def find(self, query, **more):
        return self.ok("POST", f"{H}/search",
                       json={"query": query, **more})["data"]

    # The same things by the other dialect.

    def base_of(self, document):
        return self.document(document)["knowledge_base_id"]

    def documents(self, base):
        return self.pages(f"{K}/knowledge-bases/{base}/documents")

    def versions(self, document):
        return self.ok("GET", f"{K}/documents/{document}/versions")


def assert_plain(sentence):
    """For whoever named the page: one line, no jargon, no secret."""
    assert sentence and sentence.isprintable(), sentence
    assert 10 <= len(sentence) <= 400 and " " in sentence, sentence
    for word in ("CURLE", "errno", "RC_", "NULL", "0x", "%s", "(null)",
                 "s3cret"):
        assert word not in sentence, sentence


def assert_error(answer, status, kind, code=None):
    """An error in Exec's envelope, a 400 with a code; its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    error = answer.json()["error"]
    assert error["type"] == kind, error
    if status == 400:
        assert isinstance(error["code"], str), error
        assert re.fullmatch("[a-z_]+", error["code"]), error
    if code is not None:
        assert error["code"] == code, error
    assert isinstance(error["message"], str) and error["message"]
    return error["message"]


def assert_time(text):
    """RFC 3339; the moment."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert at.tzinfo is not None
    return at


def assert_id(text):
    assert UUID.fullmatch(text) or CODE.fullmatch(text), text
