"""How pages are looked at: on a phone, a laptop and a wall, by day and by night."""

WIDTHS, THEMES = (360, 1200, 2560), ("light", "dark")
