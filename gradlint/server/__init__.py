"""The language server: `gradlint server`, spoken to over stdin and stdout.

`app` answers the protocol's messages, `session` keeps what is open and runs the checks in a thread of their own, `check`
finds out what is wrong with one text, and the other modules translate between gradlint's places and the editor's.
"""
