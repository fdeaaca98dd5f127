"""Validators: processes of their own that clear each slot again and approve its settlement, or refuse."""
