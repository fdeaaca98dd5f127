"""A scenario's variants side by side, for people: one HTML file that needs nothing else, and plots as PNG.

`content` chooses what is shown, as `charts` and `tables` that know no drawing library; `page` and `plots` draw
them. Here, and only here, energy and money become floats, in kWh, ct/kWh and EUR, and time is local.
"""
