"""What each report found, in words: tables and figures in, a `Verdict` out."""
