"""`python -m gradlint.organisation` is `gradlint-organisation`."""

from gradlint.organisation.command import main

if __name__ == "__main__":
    main()
