"""How pages are looked at, on a phone, a laptop and a wall, by day and by night; what they show."""

WIDTHS, THEMES = (360, 1200, 2560), ("light", "dark")
CLASSES = ["Bathroom", "Bedroom", "Pool"]
EVIL = "\"><img src=x onerror=alert(1)> 🏊 </script><script>alert(2)</script> 'مسبح' .jpg"
