"""`gradlint observe`: watches a real training run, and judges it as a simulated run is judged.

`probe` runs in the watched program and needs nothing but PyTorch. `entry` starts it there. The other modules read what it recorded.
"""
