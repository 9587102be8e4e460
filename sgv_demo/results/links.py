"""What belongs to somebody: which results are theirs, and the links that they made.

    people/KEY/PERSON/          a person's part of a result
        claim.json              the name of their file
        exports/                their downloads, with their corrections
        links/TOKEN/            a link: link.json (name and judgement when it was made), exports/, perhaps video.*
    links/TOKEN                 where a token leads

A person is a random word that a browser made and keeps; here it only ever stands as a hash. What was computed stays as
long as anybody refers to it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sgv_demo.errors import StoreError
from sgv_demo.events import Analysis
from sgv_demo.results import review as reviews
from sgv_demo.results.log import trouble, write_whole
from sgv_demo.results.review import NONE, Review
from sgv_demo.results.store import TOKEN, Store, checked, listed

logger = logging.getLogger(__name__)

_SHORTEST_WORD = 20
_CONTAINERS = (
    (4, b"ftypqt", ".mov"),
    (4, b"ftyp", ".mp4"),
    (0, b"\x1a\x45\xdf\xa3", ".webm"),
    (0, b"OggS", ".ogv"),
    (0, b"GIF8", ".gif"),
)
"""(offset, first bytes, suffix) of what browsers play; Matroska and WebM begin alike."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a permalink shows."""

    key: str
    token: str
    review: Review
    """As it was when the link was made."""
    folder: Path
    """Holds the link's exports and video."""

    @property
    def video(self) -> Path | None:
        """The video that was shared with it."""
        return next(iter(sorted(self.folder.glob("video.*"))), None)


def person_of(word: str) -> str:
    """The person whose browser keeps a word; empty for one too short to be nobody else's."""
    return hashlib.sha256(word.encode("utf-8", "replace")).hexdigest()[:40] if len(word) >= _SHORTEST_WORD else ""


class People:
    """Who has which result of a store."""

    def __init__(self, store: Store, most_links: int) -> None:
        """`most_links` of one result, all people together."""
        self.store, self.most_links = store, most_links

    def folder(self, key: str, person: str) -> Path:
        """A person's part of a result.

        Raises:
            StoreError: one of them is none.
        """
        return self.store.people / checked(key) / checked(person)

    def claim(self, key: str, person: str, name: str) -> None:
        """A result is somebody's, too; their file is called `name`.

        Raises:
            StoreError: the result is gone, or the disk isn't writable.
        """
        folder = self.folder(key, person)
        try:
            with self.store.people_of(key):
                if not self.store.has(key):
                    raise FileNotFoundError
                folder.mkdir(parents=True, exist_ok=True)
                write_whole(folder / "claim.json", _json({"name": name}))
        except OSError as error:
            raise trouble(error) from error

    def claims(self, key: str, person: str) -> bool:
        """Whether a result is somebody's."""
        return bool(person) and (self.folder(key, person) / "claim.json").is_file()

    def open(self, key: str, person: str) -> Analysis | None:
        """A result under the name that its file has for somebody, or None when it is gone.

        Raises:
            StoreError: nothing of it can be read.
        """
        return _named(self.store.recall(key), _read(self.folder(key, person) / "claim.json").get("name"))

    def forget(self, key: str, person: str) -> bool:
        """Somebody gives up a result: their links and exports go, and what was computed when nobody has it any more.

        Returns:
            Whether nothing is left of it.
        """
        folder = self.folder(key, person)
        try:
            with self.store.people_of(key):
                self.store.unlink(listed(folder / "links"))
                shutil.rmtree(folder, ignore_errors=True)
                if any(folder.parent.glob("*/claim.json")) or self.store.tokens(key):
                    return False
                return self.store.remove_held(key)
        except OSError as error:
            raise trouble(error) from error

    def link(self, key: str, person: str, review: Review = NONE, video: Path | None = None) -> str:
        """A new permalink token for a result as it was judged: 128 bits of chance, nothing of the video in it.

        Args:
            key: the result's key.
            person: whose link it is.
            review: what the link shows beside the captions.
            video: shared with it, when given.

        Raises:
            StoreError: the result isn't theirs any more, has its most links, or the disk isn't writable.
        """
        mine = self.folder(key, person)
        if not (self.claims(key, person) and self.store.has(key)):
            raise StoreError("This result was deleted; run the video again to share it.")
        if len(self.store.tokens(key)) >= self.most_links:
            raise StoreError(f"This result has {self.most_links} links, the most that one may have; send one of those.")
        token = secrets.token_urlsafe(16)
        name = _read(mine / "claim.json").get("name")
        try:
            self._make(token, key, person, {"name": name, "review": reviews.to_record(review)}, video)
        except OSError as error:
            shutil.rmtree(mine / "links" / token, ignore_errors=True)
            raise trouble(error) from error
        self.store.prune(keep=key)
        return token

    def _make(self, token: str, key: str, person: str, data: dict[str, Any], video: Path | None) -> None:
        folder = self.folder(key, person) / "links" / token
        folder.mkdir(parents=True)
        if video is not None and (suffix := container_suffix(video)):
            _keep(video, folder / f"video{suffix}")
        write_whole(folder / "link.json", _json(data))
        self.store.links.mkdir(exist_ok=True)
        write_whole(self.store.links / token, _json({"key": key, "person": person}))

    def link_folder(self, token: str) -> Path:
        """Where a link's own files lie.

        Raises:
            StoreError: it leads nowhere.
        """
        where = _read(self.store.links / token) if TOKEN.fullmatch(token) else {}
        return self.folder(str(where.get("key")), str(where.get("person"))) / "links" / token

    def follow(self, token: str) -> tuple[Link, Analysis] | None:
        """What a permalink shows, or None when it leads nowhere.

        Raises:
            StoreError: nothing of the result can be read.
        """
        path = self.store.links / token
        if not TOKEN.fullmatch(token) or not path.is_file():
            return None
        where = _read(path)
        try:
            key = checked(str(where.get("key")))
            person = checked(str(where["person"])) if "person" in where else self._adopted(token, key, where)
            folder = self.folder(key, person) / "links" / token
        except StoreError:
            logger.warning("A permalink's file is damaged")
            return None
        made = _read(folder / "link.json")
        analysis = self.store.recall(key) if folder.is_dir() else None
        if analysis is None:
            self.store.unlink([token])
            return None
        shown = _named(analysis, made.get("name"))
        assert shown is not None
        return Link(key, token, reviews.from_record(made.get("review")), folder), shown

    def _adopted(self, token: str, key: str, where: dict[str, Any]) -> str:
        """Makes a link of an older version, which belonged to nobody and lay in one file, one of today's."""
        person = person_of("links of an older version")
        video = next(iter(sorted(self.store.folder(key).glob("video.*"))), None)
        try:
            if self.store.has(key):
                self._make(token, key, person, {"review": where.get("review")}, video)
        except OSError as error:
            raise trouble(error) from error
        return person

    def proved(self, key: str, proof: str) -> bool:
        """Whether a browser's history of an older version has this result; its proof was the same for all makers."""
        try:
            secret = (self.store.links.parent / "secret").read_bytes()
        except OSError:
            return False
        wanted = hmac.new(secret, checked(key).encode("ascii"), "sha256").hexdigest()[:32]
        return hmac.compare_digest(wanted.encode(), proof.encode("utf-8", "replace"))


def container_suffix(path: Path) -> str:
    """The suffix of what browsers play, by a file's first bytes and never by its name; empty for anything else."""
    with path.open("rb") as file:
        head = file.read(64)
    return next((suffix for at, magic, suffix in _CONTAINERS if head[at:].startswith(magic)), "")


def _keep(video: Path, target: Path) -> None:
    """Without taking the space twice where the disk can link."""
    try:
        os.link(video, target)
    except OSError:  # another disk, or one without links
        part = target.with_name("video.part")
        try:
            shutil.copyfile(video, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def _named(analysis: Analysis | None, name: object) -> Analysis | None:
    if analysis is None or analysis.video is None or not isinstance(name, str):
        return analysis
    return replace(analysis, video=replace(analysis.video, path=Path(Path(name).name)))


def _read(path: Path) -> dict[str, Any]:
    """A small file of JSON; an empty one stands for whatever can't be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _json(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
