"""What a change in git touches, so that a run reports only the findings of that change."""
