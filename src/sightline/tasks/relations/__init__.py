"""Left and right between the objects of a clip, in the picture and over time: rules, facts, and the questions made of them.

standing   which boxes may be compared at all, and why not
rules      what holds in one frame
timeline   what holds over the clip: always, becomes, crosses, and the runs of frames
facts      all of that for a clip
names      how objects are called
asking     pictures, words and twins of a question
choice, box, track, when, switch    one task each
"""
