"""What other tools call stages, options and keys, for messages about names that nlpipe does not have.

scikit-learn, transformers, Keras, gensim, spaCy, fairseq and PyTorch have names of their own for what nlpipe has too;
``min_df`` is nearer in spelling to ``idf`` than to ``min_count``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

NAMES = {
    # options
    "batch_size": "batch size train_batch_size per_device_train_batch_size minibatch_size micro_batch_size",
    "batch": "batch_size",
    "tokens": "max_tokens batch_tokens tokens_per_batch",
    "epochs": "n_iter iter max_iter num_epochs n_epochs num_train_epochs max_epochs iterations",
    "max_iter": "n_iter iter num_iterations iterations epochs max_epochs num_epochs n_epochs",
    "iterations": "n_iter iter max_iter num_iterations epochs",
    "lr": "learning_rate learn_rate step_size alpha eta eta0 learning_rate_init",
    "pretrained_lr": "bert_lr encoder_lr backbone_lr",
    "weight_decay": "l2 decay wd",
    "warmup": "warmup_steps warmup_ratio warmup_proportion num_warmup_steps warmup_updates",
    "schedule": "lr_scheduler lr_scheduler_type scheduler learning_rate_schedule lr_schedule",
    "clip": "max_grad_norm grad_clip gradient_clip gradient_clip_val clipnorm clip_norm max_norm grad_norm",
    "accumulate": "gradient_accumulation_steps accumulate_grad_batches grad_accumulation update_freq",
    "patience": "early_stopping early_stopping_patience n_iter_no_change",
    "average": "averaging swa checkpoint_averaging",
    "precision": "fp16 bf16 mixed_precision amp dtype torch_dtype half",
    "device": "use_cuda no_cuda gpu gpus cuda accelerator use_gpu",
    "minutes": "max_time time_limit timeout",
    "ngrams": "ngram_range ngram n_gram n_grams wordngrams word_ngrams",
    "unit": "analyzer level",
    "min_count": "min_df min_freq min_frequency mindf min_word_count",
    "min_frequency": "min_count min_freq min_df",
    "max_count": "max_df max_freq",
    "max_features": "max_vocab num_words max_words vocabulary_size vocab_size max_tokens",
    "max_words": "max_vocab num_words vocabulary_size vocab_size max_features max_tokens limit max_final_vocab",
    "vocabulary_size": "vocab_size max_features num_words max_words n_vocab merges num_merges",
    "stop_words": "stopwords stop_word stoplist",
    "sublinear": "sublinear_tf",
    "idf": "use_idf",
    "smooth": "smooth_idf",
    "norm": "normalize normalization normalisation layer_norm",
    "pattern": "token_pattern regex",
    "lowercase": "do_lower_case lower lower_case case_folding strip_case uncased",
    "form": "strip_accents unicode_normalizer unicode_form",
    "bits": "n_features num_features n_buckets buckets hash_size",
    "signed": "alternate_sign",
    "select": "k_best chi2 feature_selection",
    "C": "regularization regularisation reg reg_param inverse_regularization c",
    "alpha": "smoothing laplace var_smoothing",
    "prior": "fit_prior class_prior",
    "l1_ratio": "penalty l1",
    "tolerance": "tol",
    "class_weight": "class_weights balanced weights pos_weight",
    "folds": "cv n_splits n_folds",
    "options": "n_estimators max_depth n_neighbors kernel gamma params kwargs hyperparameters",
    "hidden": "hidden_size hidden_dim hidden_units units d_model n_hidden num_hidden hidden_layer_sizes rnn_size "
              "lstm_size width model_dim",
    "feed_forward": "d_ff dim_feedforward ffn_dim intermediate_size ff_dim feedforward",
    "layers": "num_layers n_layers num_hidden_layers n_layer depth encoder_layers decoder_layers",
    "heads": "num_heads n_heads nhead num_attention_heads n_head attention_heads",
    "dropout": "dropout_rate drop drop_rate dropout_prob hidden_dropout_prob p p_dropout recurrent_dropout",
    "word_dropout": "token_dropout",
    "bidirectional": "bidir bi",
    "positions": "positional_encoding position_embedding position_encoding pos_encoding",
    "activation": "activation_function hidden_act act",
    "dim": "embedding_dim embed_dim vector_size embedding_size emb_size emb_dim size output_dim dimensions "
           "word_vec_size vector_length",
    "window": "window_size max_length context_size context",
    "negative": "negative_samples ns neg num_negative",
    "algorithm": "sg cbow skipgram",
    "subsample": "sample",
    "workers": "threads n_jobs num_workers jobs",
    "widths": "kernel_size kernel_sizes filter_sizes kernels",
    "filters": "num_filters n_filters channels out_channels",
    "trainable": "freeze frozen fine_tune finetune finetuned requires_grad",
    "vectors": "path file pretrained embeddings weights",
    "model": "model_name model_name_or_path pretrained_model_name_or_path pretrained checkpoint",
    "pool": "pooling pooling_strategy",
    "beam": "beam_size num_beams beam_width n_beams beams",
    "length_penalty": "lenpen len_penalty",
    "no_repeat_ngram": "no_repeat_ngram_size",
    "max_length": "max_len max_seq_length max_new_tokens max_target_length max_position_embeddings maxlen",
    "label_smoothing": "label_smoothing_factor smoothing",
    "constrained": "crf use_crf",
    "source_language": "src_lang source_lang src",
    "target_language": "tgt_lang target_lang tgt forced_bos_token",
    # keys of files
    "data": "dataset corpus train_data data_path",
    "tokenizer": "tokeniser nlp preprocessing",
    "representation": "vectorizer vectoriser features embedding embeddings featurizer vectors",
    "encoder": "layers network",
    "head": "model classifier estimator decoder output clf",
    "trainer": "training optimizer train fit",
    "seed": "random_state random_seed",
    "seeds": "seed random_state n_seeds repeats",
    "train_sizes": "train_size sizes learning_curve",
    "pipelines": "models systems",
    "vary": "grid param_grid sweep search_space grid_search",
    "labels": "classes label_names id2label",
    "delimiter": "sep separator",
    "columns": "fields usecols",
    "quoting": "quotechar quote",
    "splits": "split test_size val_size validation_split",
    "dev": "valid validation val eval development",
    "comment": "comments comment_prefix",
    # options of the command
    "jobs": "workers n_jobs num_workers parallel processes threads",
    "out": "output output_dir out_dir save_dir o",
    "output": "out outfile output_file",
    "file": "input_file infile texts",
    "again": "force overwrite rerun",
    "n_best": "nbest num_return_sequences k top_k",
    "text": "text_column text_field input_column",
    "label": "label_column label_field target_column",
    # stages
    "regex": "word words nltk punkt word_tokenize wordpunct moses treebank simple default basic word_level",
    "whitespace": "split space spaces pretokenized",
    "characters": "char chars character letters char_cnn charcnn chargrams",
    "bpe": "bytepair byte_pair byte_level_bpe gpt2 tiktoken subword",
    "unigram": "sentencepiece spm sp",
    "wordpiece": "word_piece bert",
    "bow": "bag_of_words count counts countvectorizer count_vectorizer ngrams",
    "tfidf": "tf_idf tfidfvectorizer tfidf_vectorizer tfidftransformer",
    "hashing": "hashingvectorizer hash hash_vectorizer featurehasher",
    "word2vec": "w2v skipgram cbow",
    "static": "glove fasttext pretrained_embedding word_vectors gensim numberbatch",
    "bert": "distilbert roberta transformer transformers minilm sentence_transformer sentence_transformers sbert "
            "electra xlm_roberta pretrained",
    "lstm": "bilstm bi_lstm blstm",
    "gru": "bigru bi_gru",
    "rnn": "birnn bi_rnn simplernn elman",
    "convolution": "cnn conv conv1d convnet textcnn",
    "attention": "self_attention attention_pooling",
    "mean": "average avg mean_pooling avg_pooling globalaveragepooling1d",
    "max": "max_pool max_pooling globalmaxpooling1d",
    "first": "cls cls_token",
    "last": "last_hidden last_state",
    "logistic_regression": "logreg lr logisticregression logistic log_reg maxent maximum_entropy sgdclassifier",
    "linear_svm": "svm svc linearsvc linear_svc",
    "naive_bayes": "nb multinomialnb multinomial_nb bernoullinb complementnb mnb bayes",
    "estimator": "sklearn scikit_learn random_forest randomforest randomforestclassifier knn xgboost lightgbm "
                 "decision_tree gradient_boosting mlpclassifier kneighborsclassifier",
    "classifier": "linear dense softmax mlp classification sequence_classification text_classification textcat",
    "tagger": "crf ner token_classification sequence_labeling pos tagging",
    "majority": "dummy most_frequent baseline dummyclassifier constant",
    "dictionary": "gazetteer lookup lexicon",
    "seq2seq": "encoder_decoder nmt translation transformer translator",
    "pretrained_seq2seq": "t5 mt5 marian marianmt bart mbart nllb opus_mt m2m100",
    "lexical": "ibm1 ibm_model1 smt word_alignment phrase_based",
    "translation_memory": "nearest_neighbour memory tm retrieval",
}  # fmt: skip
"""A name of nlpipe's to what others call it, with spaces between."""

_APART = re.compile(r"[\s_.-]+")


def _folded(name: str) -> str:
    return _APART.sub("", name).casefold()


_MEANT: dict[str, list[str]] = {}
for _ours, _theirs in NAMES.items():
    for _other in _theirs.split():
        _MEANT.setdefault(_folded(_other), []).append(_ours)


def meant(typed: str, names: Collection[str]) -> str | None:
    """The one of ``names`` that ``typed`` is another spelling or another tool's name of; None if there is none."""
    folded = _folded(typed)
    same = [name for name in names if _folded(name) == folded and name != typed]
    return next((name for name in (*same, *_MEANT.get(folded, ())) if name in names), None)
