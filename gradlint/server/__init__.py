"""The language server that `gradlint server` runs over stdin and stdout.

`app` answers the protocol's messages. `session` holds the open documents and runs checks in background threads. `check` checks
one text, and the other modules translate between gradlint's places and the editor's.
"""
