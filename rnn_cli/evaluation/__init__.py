"""What a trained model can do: questions with known answers."""
