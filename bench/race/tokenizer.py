"""Makes a tokenizer whose token number i is the word "i", for models that come without one.

usage: tokenizer.py FOLDER SIZE
"""

import sys

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

folder, size = sys.argv[1], int(sys.argv[2])
tokenizer = Tokenizer(models.WordLevel({str(i): i for i in range(size)}, unk_token="0"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="0").save_pretrained(folder)
