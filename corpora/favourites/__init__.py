"""The corpus `favourites`: sentences whose last word is decided 5 to 60 words earlier."""
