"""From the text of one file to its findings: parse what matters, build the model, ask the rules, place what they say."""
