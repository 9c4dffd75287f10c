"""Files that a user gives: their text, the sizes of their pictures. Without torch."""
