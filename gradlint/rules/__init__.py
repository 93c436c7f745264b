"""The rules, one module each. `gradlint.registry` finds them."""
