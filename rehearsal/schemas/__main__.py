"""``python -m rehearsal.schemas``: write the shapes anew from the installed SDKs."""

from rehearsal.schemas import PROVIDERS, file, text


def main() -> None:
    """Write one file a package."""
    for package in PROVIDERS:
        file(package).write_text(text(package), encoding="utf-8")
        print(f"wrote {file(package).name}")


if __name__ == "__main__":
    main()
