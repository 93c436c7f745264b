"""An oracle for gradlint: real PyTorch watches generated training programs, and says what is wrong with them."""
