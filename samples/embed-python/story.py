"""Tells a story with libqed: story.py MODEL.gguf [PROMPT [SEED]]"""
import sys

import qed

if len(sys.argv) < 2:
    sys.exit(__doc__)
prompt = sys.argv[2] if len(sys.argv) > 2 else "Once upon a time"
try:
    with qed.Model(sys.argv[1]) as model, model.session() as session:
        for piece in session.generate(prompt, max_tokens=50, seed=int(sys.argv[3]) if len(sys.argv) > 3 else 0):
            print(piece, end="", flush=True)
        print()
except qed.Error as error:
    sys.exit(f"error: {error}")
