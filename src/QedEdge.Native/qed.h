/*
 * qed.h - QedEdge's C library: run QED language models.
 *
 *     qed_model *model;
 *     qed_session *session;
 *     if (qed_open("model.gguf", NULL, &model) || qed_session_open(model, NULL, &session))
 *         fprintf(stderr, "%s\n", qed_last_error());
 *
 * RULES THAT HOLD FOR EVERY FUNCTION
 *
 * Results. A function returns QED_OK (0) or a count (0 or more) when it succeeds, and a negative QED_ERROR_... when it fails.
 * qed_last_error() then says why. What out parameters point to is only written by functions that succeed; functions that open
 * something set *out to NULL when they fail.
 *
 * Handles. qed_model, qed_session and qed_sampler are opaque, never dereferenced, and never an address of memory: a null,
 * closed or arbitrary handle gives QED_ERROR_HANDLE. Closing NULL does nothing; closing a handle twice gives QED_ERROR_HANDLE.
 *
 * Text is UTF-8. What a model reads or writes is an address and a length in bytes, so that it may hold zeros; the address may be
 * NULL where the length is 0; ill-formed input is read as U+FFFD. Names (files, instruction sets, stop strings) end with a zero.
 *
 * Buffers are the caller's, and capacities are in elements. As with snprintf, the result is the number of elements that all of
 * it needs, at most `capacity` of them are written, and the buffer may be NULL where the capacity is 0. Text is followed by a
 * zero that the result does not count: it is complete where result < capacity, else it is cut at a character's border.
 *
 * Options. A structure begins with its own size; set it to sizeof the structure. An older program, whose structures are
 * shorter, gets the defaults of the fields that it does not know. A null pointer asks for all defaults, and so do zeros, except
 * in qed_sampling_options, which qed_sampling_defaults fills.
 *
 * Threads. A model may be used by any number of threads at a time. A session or sampler belongs to one call at a time: a second
 * one gives QED_ERROR_BUSY and changes nothing; so does a call for it from its own callback. Different sessions run in parallel.
 * Closing is possible at any time: qed_session_close ends the call that uses the session.
 *
 * The process. The library stays loaded when it is closed by dlclose(), and does not survive fork() without exec(). Its first call
 * starts a thread; handles SIGSEGV and SIGFPE, passing on to the program's own handlers what its own code did not cause; takes a
 * real-time signal (SIGRTMIN) to stop its threads; and ignores SIGPIPE, unless the program then sets that again. Calls need 128 KB
 * of stack. A model or session file that another program cuts off while it is mapped is SIGBUS for who touches it, here as in
 * every program: QED_LOADING_MEMORY is not affected once qed_open has returned. Beyond a limit on file sizes saving fails, without
 * SIGXFSZ. Nothing is written to standard output or standard error, except where the processor lacks what the library was built
 * for (AVX2 on x64): then the process ends with a message. Callbacks must return: no longjmp, no C++ exception.
 *
 * Results do not depend on the machine, its instruction set, or the number of threads: the same bits everywhere.
 */
#ifndef QED_H
#define QED_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define QED_API __attribute__((visibility("default")))
#else
#define QED_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The interface's version, which this header describes. Within a major version programs go on working with newer libraries. */
#define QED_VERSION_MAJOR 1
#define QED_VERSION_MINOR 1
#define QED_VERSION (QED_VERSION_MAJOR * 65536 + QED_VERSION_MINOR)

typedef struct qed_model qed_model;
typedef struct qed_session qed_session;
typedef struct qed_sampler qed_sampler;

/* ---- Errors ---------------------------------------------------------------------------------------------------------- */

enum qed_status {
    QED_OK = 0,
    QED_ERROR_ARGUMENT = -1, /* a null pointer, an option, id or size out of range */
    QED_ERROR_HANDLE = -2,   /* a null handle, one that was closed, or none of this kind */
    QED_ERROR_BUSY = -3,     /* another call is using the session, sampler or handle */
    QED_ERROR_MODEL = -4,    /* the model file cannot be read or used */
    QED_ERROR_CONTEXT = -5,  /* the tokens do not fit into the context */
    QED_ERROR_STATE = -6,    /* not possible now: no logits yet, or no tokenizer in this model */
    QED_ERROR_FAILED = -7,   /* a session file cannot be read, written or used, or another failure */
    QED_ERROR_MEMORY = -8,   /* memory is short */
    QED_ERROR_VERSION = -9,  /* the library is too old or too new for the program */
    QED_ERROR_INTERNAL = -10, /* a defect of this library; please report the message */
    QED_ERROR_CANCELLED = -11 /* the session was closed during the call */
};

/*
 * What the last failing call of this thread said: one line, UTF-8, never NULL, "" before the first failure. Successful calls
 * leave it as it is. Valid until the next call that fails on the same thread, or the thread's end. Never fails.
 */
QED_API const char *qed_last_error(void);

/* The library's version as text, "0.1.0". Valid for ever. Never fails. */
QED_API const char *qed_version(void);

/*
 * Whether this library works with a program that was compiled for `version`; call qed_check_version(QED_VERSION) first.
 *
 * Errors: QED_ERROR_VERSION for another major version or a newer minor one.
 */
QED_API int32_t qed_check_version(int32_t version);

/* ---- Models ---------------------------------------------------------------------------------------------------------- */

enum qed_loading {
    QED_LOADING_MAP = 0,   /* mapped: read page by page when needed, shared with other processes */
    QED_LOADING_MEMORY = 1 /* read as a whole before qed_open returns, faster from slow storage */
};

typedef struct qed_open_options {
    size_t size;                 /* sizeof(qed_open_options) */
    const char *instruction_set; /* scalar, avx2, avx512, avxvnni, neon, neon-dp; NULL is the fastest. All give the same bits */
    int32_t loading;             /* QED_LOADING_... */
    int32_t reserved;            /* 0 */
} qed_open_options;

/*
 * Opens a model file (GGUF).
 *
 *   path     the file's name
 *   options  or NULL
 *   model    receives the handle; the caller closes it with qed_close
 *
 * Errors: QED_ERROR_ARGUMENT (a null path, an option), QED_ERROR_MODEL, QED_ERROR_MEMORY. Threads: any.
 */
QED_API int32_t qed_open(const char *path, const qed_open_options *options, qed_model **model);

/*
 * Opens a model that is in memory already, used in place.
 *
 *   data     the bytes of a model file, which the caller keeps, unchanged, until the model and all its sessions are closed;
 *            fastest where aligned to 64 bytes
 *   length   in bytes
 *   options  or NULL; `loading` is not looked at
 *   model    receives the handle; the caller closes it with qed_close
 *
 * Errors: as qed_open. Threads: any.
 */
QED_API int32_t qed_open_memory(const void *data, size_t length, const qed_open_options *options, qed_model **model);

/*
 * Closes a model. Sessions that are open go on; with the last of them the file is closed. NULL is closed already.
 *
 * Errors: QED_ERROR_HANDLE. Threads: any; calls that use the model at the same time finish undisturbed.
 */
QED_API int32_t qed_close(qed_model *model);

typedef struct qed_model_info {
    size_t size;            /* sizeof(qed_model_info), set by the caller */
    int32_t vocab_size;     /* ids are 0 to vocab_size - 1; the number of logits */
    int32_t context_length; /* tokens that the model was trained to see at once */
    int32_t layer_count;
    int32_t hidden_size;
    int32_t bos_id; /* begins a text; -1: none */
    int32_t eos_id; /* put behind a text; -1: none. qed_end_ids has all that end one */
    int32_t pad_id; /* -1: none */
    int32_t unk_id; /* -1: none */
    int32_t has_tokenizer; /* 1, or 0 where the model takes and gives ids only */
    /* Since 1.1: */
    int32_t head_count;    /* attention heads */
    int32_t kv_head_count; /* key-value heads, each shared by head_count / kv_head_count heads */
    int32_t head_size;     /* values in a head */
    int32_t window;        /* tokens that one sees at most in the layers that have a window; 0: no layer has */
    float norm_epsilon;    /* added to the mean square (RMSNorm) or variance (LayerNorm) */
} qed_model_info;

/*
 * Describes a model.
 *
 *   info  info->size is set before; the other fields are filled
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT, QED_ERROR_MODEL (a damaged tokenizer). Threads: any.
 */
QED_API int32_t qed_get_model_info(qed_model *model, qed_model_info *info);

/*
 * The ids that end a text: at each of them qed_generate ends.
 *
 *   ids, capacity  receives the ids
 *
 * Returns their number. Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT. Threads: any.
 */
QED_API int64_t qed_end_ids(qed_model *model, int32_t *ids, size_t capacity);

/*
 * The model's name as its file has it ("" for none), its family as general.architecture has it ("llama"; since 1.1), or the
 * instruction set that was chosen.
 *
 *   buffer, capacity  receives the text
 *
 * Returns its length in bytes. Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT. Threads: any.
 */
QED_API int64_t qed_model_name(qed_model *model, char *buffer, size_t capacity);
QED_API int64_t qed_model_family(qed_model *model, char *buffer, size_t capacity);
QED_API int64_t qed_instruction_set(qed_model *model, char *buffer, size_t capacity);

/* ---- Text and tokens ------------------------------------------------------------------------------------------------- */

enum qed_tokenize_flags {
    QED_TOKENIZE_PLAIN = 0,   /* the text of special tokens is plain text: right for text from strangers */
    QED_TOKENIZE_SPECIAL = 1, /* the text of special tokens, such as <eos>, gives those tokens */
    QED_TOKENIZE_BOS = 2,     /* begins with the begin-of-text token */
    QED_TOKENIZE_EOS = 4,     /* ends with the end-of-text token */
    QED_TOKENIZE_PROMPT = 8   /* as a prompt: special tokens, and around it what the model file asks for */
};

/*
 * The ids of a text.
 *
 *   text, length   the text
 *   flags          QED_TOKENIZE_... added up
 *   ids, capacity  receives the ids
 *
 * Returns the number of ids. Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT, QED_ERROR_STATE (no tokenizer), QED_ERROR_FAILED (no
 * begin- or end-of-text token). Threads: any.
 */
QED_API int64_t qed_tokenize(qed_model *model, const char *text, size_t length, int32_t flags, int32_t *ids, size_t capacity);

enum qed_detokenize_flags {
    QED_DETOKENIZE_SKIP = 0, /* special tokens leave no trace */
    QED_DETOKENIZE_KEEP = 1  /* they appear as their own text, such as <eos> */
};

/*
 * The text of ids.
 *
 *   ids, count        the ids
 *   flags             QED_DETOKENIZE_...
 *   buffer, capacity  receives the text
 *
 * Returns its length in bytes. Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT (an id outside the vocabulary too), QED_ERROR_STATE
 * (no tokenizer). Threads: any.
 */
QED_API int64_t qed_detokenize(qed_model *model, const int32_t *ids, size_t count, int32_t flags, char *buffer, size_t capacity);

/*
 * The bytes that one id stands for, often no whole character: written one after another, they give the text.
 *
 *   id                the token; a special one's bytes are those of its name
 *   buffer, capacity  receives the bytes; there is no zero behind them, and they may be cut anywhere
 *
 * Returns their number. Errors: as qed_detokenize. Threads: any.
 */
QED_API int64_t qed_piece(qed_model *model, int32_t id, char *buffer, size_t capacity);

/*
 * The ids of a conversation, as the model's chat template writes it, with what asks for an answer: a prompt for qed_generate_ids.
 * What was typed into the conversation never becomes a special token. Needs 1 MB of stack.
 *
 *   conversation, length  a JSON object in OpenAI's form: "messages", and where wanted "tools", "enable_thinking" and
 *                         "chat_template_kwargs" (further variables of the template)
 *   ids, capacity         receives the ids
 *
 * Returns the number of ids. Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT, QED_ERROR_STATE (no tokenizer), QED_ERROR_FAILED (no
 * chat template, or it or the conversation cannot be used). Threads: any.
 */
QED_API int64_t qed_chat(qed_model *model, const char *conversation, size_t length, int32_t *ids, size_t capacity);

/*
 * A text that ends an answer besides the model's end token, for qed_generate_options.stop: the chat template puts it behind one.
 *
 *   index             0 for the first
 *   buffer, capacity  receives the text
 *
 * Returns its length in bytes, 0 where there is no such one. Errors: as qed_chat. Threads: any.
 */
QED_API int64_t qed_chat_stop(qed_model *model, size_t index, char *buffer, size_t capacity);

/* ---- Sessions -------------------------------------------------------------------------------------------------------- */

enum qed_kv_type { /* how keys and values are stored */
    QED_KV_AUTO = 0, /* f32 and f16 for such models, q8_0 for quantized ones */
    QED_KV_F32 = 1,
    QED_KV_F16 = 2,
    QED_KV_Q8_0 = 3
};

enum qed_overflow {
    QED_OVERFLOW_STOP = 0, /* tokens beyond the context are refused: QED_ERROR_CONTEXT */
    QED_OVERFLOW_SLIDE = 1 /* they take the place of the oldest, except the first `sinks` */
};

typedef struct qed_session_options {
    size_t size;            /* sizeof(qed_session_options) */
    int32_t threads;        /* 1 to 256, the caller's included; 0: one per physical core. Never changes a result */
    int32_t context_length; /* tokens to hold, 1 to the model's context length; 0: that */
    int32_t kv_type;        /* QED_KV_... */
    int32_t overflow;       /* QED_OVERFLOW_... */
    int32_t sinks;          /* with QED_OVERFLOW_SLIDE, first tokens that stay; 0: 4; -1: none */
    int32_t reserved;       /* 0 */
} qed_session_options;

/*
 * Opens a session: one context with all its memory, and threads of its own.
 *
 *   options  or NULL
 *   session  receives the handle; the caller closes it with qed_session_close
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT, QED_ERROR_MEMORY. Threads: any.
 */
QED_API int32_t qed_session_open(qed_model *model, const qed_session_options *options, qed_session **session);

/*
 * Closes a session. NULL is closed already. A call for it on another thread ends with QED_ERROR_CANCELLED before this returns;
 * a callback of that call must not wait for this. From the session's own callback it returns at once, and the session is freed
 * when the call that the callback belongs to has ended so.
 *
 * Errors: QED_ERROR_HANDLE. Threads: any.
 */
QED_API int32_t qed_session_close(qed_session *session);

typedef struct qed_session_info {
    size_t size;        /* sizeof(qed_session_info), set by the caller */
    int32_t position;   /* tokens fed so far, those included that a sliding window left behind */
    int32_t capacity;   /* tokens it can hold */
    int32_t threads;    /* the caller's included */
    int32_t kv_type;    /* QED_KV_..., never QED_KV_AUTO */
    int32_t overflow;   /* QED_OVERFLOW_... */
    int32_t has_logits; /* 1 where the last call that changed the session fed a token */
    int32_t vocab_size; /* the number of logits */
    int32_t reserved;
} qed_session_info;

/*
 * Describes a session.
 *
 *   info  info->size is set before; the other fields are filled
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT. Threads: one call at a time.
 */
QED_API int32_t qed_get_session_info(qed_session *session, qed_session_info *info);

/* Tokens fed so far. Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY. Threads: one call at a time. */
QED_API int64_t qed_position(qed_session *session);

/*
 * Forgets all tokens from a position on; 0 empties the session. The logits are gone then: feed at least one token.
 *
 *   position  0 to qed_position(session)
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT (a sliding window may have left it behind). Threads: one call at
 * a time.
 */
QED_API int32_t qed_rollback(qed_session *session, int32_t position);

/*
 * Appends tokens and computes the logits after the last.
 *
 *   ids, count  the tokens; 0 of them change nothing
 *
 * Errors, where nothing was computed or stored: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT (an id outside the
 * vocabulary), QED_ERROR_CONTEXT. QED_ERROR_MODEL where the weights are damaged. Threads: one call at a time.
 */
QED_API int32_t qed_feed(qed_session *session, const int32_t *ids, size_t count);

/*
 * The logits after the last token: how the model rates each id as the next.
 *
 *   buffer, capacity  receives them; NULL and 0 only count
 *
 * Returns their number, the vocabulary's size. Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT, QED_ERROR_STATE
 * (there are none). Threads: one call at a time.
 */
QED_API int64_t qed_logits(qed_session *session, float *buffer, size_t capacity);

/*
 * The same without a copy.
 *
 *   logits  receives their address, valid until the next call that changes the session; not to be written to
 *
 * Returns their number. Errors: as qed_logits. Threads: one call at a time, and reading counts as one.
 */
QED_API int64_t qed_logits_view(qed_session *session, const float **logits);

/*
 * Writes a session's tokens, keys, values and logits to a file, which appears whole or not at all.
 *
 *   path       the file's name
 *   overwrite  0 refuses to replace a file
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT, QED_ERROR_FAILED. Threads: one call at a time.
 */
QED_API int32_t qed_session_save(qed_session *session, const char *path, int32_t overwrite);

/*
 * Makes a session what qed_session_save wrote; where that is refused it stays as it was. It must be of the same model, and of
 * the same context length, type of keys and values, and overflow where these matter.
 *
 *   path  the file's name
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT, QED_ERROR_FAILED. Threads: one call at a time.
 */
QED_API int32_t qed_session_restore(qed_session *session, const char *path);

/* ---- Sampling -------------------------------------------------------------------------------------------------------- */

typedef struct qed_logit_bias {
    int32_t id;
    float bias; /* added to the id's logit; negative infinity forbids it */
} qed_logit_bias;

/* In this order: logit bias, penalties, greedy where the temperature is 0, top-k, temperature, top-p, min-p, typical, a draw. */
typedef struct qed_sampling_options {
    size_t size;             /* sizeof(qed_sampling_options) */
    float temperature;       /* divides the logits; 0 always takes the most likely token */
    int32_t top_k;           /* keeps the k most likely tokens; 0: all */
    float top_p;             /* keeps the most likely tokens that sum to this, above 0 to 1; 1: all */
    float min_p;             /* drops tokens below this share of the most likely one, 0 to 1; 0: none */
    float typical_p;         /* locally typical sampling, above 0 to 1; 1: off */
    float repeat_penalty;    /* divides positive and multiplies negative logits of the last tokens, above 0; 1: off */
    float presence_penalty;  /* taken off the logits of the last tokens; 0: off */
    float frequency_penalty; /* the same for each occurrence; 0: off */
    int32_t penalty_window;  /* how many of the last tokens these look at */
    int32_t reserved;        /* 0 */
    uint64_t seed;           /* the same seed gives the same text on every machine */
    const qed_logit_bias *logit_bias; /* or NULL */
    size_t logit_bias_count;
    int32_t penalize_new;    /* 1: in qed_generate the penalties look at generated tokens alone, not at the prompt, as OpenAI's do */
    int32_t reserved_2;      /* 0 */
} qed_sampling_options;

/*
 * Fills options with what a model's file asks for, and the usual values where it says nothing; the seed is 0.
 *
 *   model    or NULL for the usual values
 *   options  options->size is set before; the other fields are filled
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT, QED_ERROR_MODEL (its file asks for what cannot be). Threads: any.
 */
QED_API int32_t qed_sampling_defaults(qed_model *model, qed_sampling_options *options);

/*
 * Opens a sampler: options, a random generator, and the last tokens for the penalties.
 *
 *   model    whose vocabulary it is for; it may be closed before the sampler
 *   options  or NULL for qed_sampling_defaults(model); copied
 *   sampler  receives the handle; the caller closes it with qed_sampler_close
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_ARGUMENT, QED_ERROR_MODEL, QED_ERROR_MEMORY. Threads: any.
 */
QED_API int32_t qed_sampler_open(qed_model *model, const qed_sampling_options *options, qed_sampler **sampler);

/* Closes a sampler. NULL is closed already. A call that uses it is done undisturbed. Errors: QED_ERROR_HANDLE. Threads: any. */
QED_API int32_t qed_sampler_close(qed_sampler *sampler);

/*
 * Tells a sampler's penalties of tokens that it did not choose itself, such as the prompt's.
 *
 *   ids, count  the tokens
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT. Threads: one call at a time.
 */
QED_API int32_t qed_sampler_accept(qed_sampler *sampler, const int32_t *ids, size_t count);

/*
 * Chooses the next token from a session's logits. The penalties know it from now on; the session is not fed.
 *
 *   id  receives the token
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT (another vocabulary too), QED_ERROR_STATE (no logits). Threads:
 * one call at a time for each of the two.
 */
QED_API int32_t qed_sample(qed_sampler *sampler, qed_session *session, int32_t *id);

/*
 * The same from logits in the caller's memory, such as changed ones.
 *
 *   logits, count  the vocabulary's size of numbers; negative infinity forbids an id, but not all of them
 *   id             receives the token
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT. Threads: one call at a time.
 */
QED_API int32_t qed_sample_logits(qed_sampler *sampler, const float *logits, size_t count, int32_t *id);

/* ---- Generation ------------------------------------------------------------------------------------------------------ */

typedef struct qed_generate_options {
    size_t size;                          /* sizeof(qed_generate_options) */
    const qed_sampling_options *sampling; /* or NULL for qed_sampling_defaults(the session's model) with `seed` */
    int32_t max_tokens;                   /* new tokens at most; 0: what the model's file says, else 64 */
    int32_t ignore_eos;                   /* 1 goes on where the model ends the text */
    const char *const *stop;              /* texts that end generation before they appear, or NULL */
    size_t stop_count;
    uint64_t seed;                        /* where sampling is NULL */
} qed_generate_options;

enum qed_finish {
    QED_FINISH_LENGTH = 0,  /* max_tokens were generated, or the context is full */
    QED_FINISH_EOS = 1,     /* the model ended the text */
    QED_FINISH_STOP = 2,    /* a stop string appeared */
    QED_FINISH_CALLBACK = 3 /* the callback asked to stop */
};

typedef struct qed_generate_result {
    size_t size;              /* sizeof(qed_generate_result), set by the caller */
    int32_t finish;           /* QED_FINISH_... */
    int32_t prompt_tokens;    /* of the prompt */
    int32_t cached_tokens;    /* those of them that needed no computing, because the model file holds their keys and values */
    int32_t generated_tokens; /* the end token not counted */
    double prefill_seconds;   /* for the prompt */
    double decode_seconds;    /* for the rest */
} qed_generate_result;

/*
 * Receives text as it is generated: once for each token, and where text was held back (the beginning of a stop string, or of a
 * character) once more at the end.
 *
 *   user          what was given to qed_generate
 *   text, length  what became visible, whole characters, often none; a zero follows it. Valid during the call
 *   token         the token's id, or -1 at the end
 *
 * Returns 0 to go on and anything else to stop. Called on the thread that called qed_generate. It may call anything but
 * functions for the same session; of these only qed_session_close.
 */
typedef int32_t (*qed_callback)(void *user, const char *text, size_t length, int32_t token);

/*
 * Continues a text.
 *
 *   text, length  the prompt. Special tokens in it count; an empty session also gets what the model file puts around a prompt.
 *                 qed_generate_ids is for text from strangers, tokenized with QED_TOKENIZE_PLAIN
 *   options       or NULL
 *   callback      receives the text
 *   user          is handed to it
 *   result        or NULL; result->size is set before, the other fields are filled
 *
 * The last token generated is not fed, so that the session holds one less than prompt and answer.
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT, QED_ERROR_STATE (no tokenizer), QED_ERROR_CONTEXT (the prompt
 * does not fit), QED_ERROR_MODEL. Threads: one call at a time.
 */
QED_API int32_t qed_generate(qed_session *session, const char *text, size_t length, const qed_generate_options *options,
                             qed_callback callback, void *user, qed_generate_result *result);

/*
 * The same from token ids, also for a model without a tokenizer, whose text is empty.
 *
 *   ids, count  the prompt; none where the session has logits to go on from
 *
 * Errors: as qed_generate; QED_ERROR_STATE also for stop strings without a tokenizer, and where there is nothing to go on from.
 */
QED_API int32_t qed_generate_ids(qed_session *session, const int32_t *ids, size_t count, const qed_generate_options *options,
                                 qed_callback callback, void *user, qed_generate_result *result);

/* ---- Scoring --------------------------------------------------------------------------------------------------------- */

/*
 * How likely the model thinks given tokens: log p of each from `begin` on, given all before it, in nats. What the session holds
 * of them already is not computed again, and what it holds beyond is forgotten.
 *
 *   ids, count        the tokens, from the beginning of the context on
 *   begin             the first that is scored, 1 to count: the first of all has no probability
 *   scores, capacity  receives count - begin numbers; where capacity is less, nothing is computed or written
 *
 * Returns count - begin. Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT, QED_ERROR_CONTEXT. Threads: one call at a
 * time.
 */
QED_API int64_t qed_score(qed_session *session, const int32_t *ids, size_t count, size_t begin, double *scores, size_t capacity);

typedef struct qed_choice {
    double sum;         /* log p of the choice, in nats */
    int32_t tokens;     /* of the choice; sum / tokens or sum / characters compare choices of different lengths */
    int32_t characters; /* Unicode characters of the choice */
} qed_choice;

/*
 * Which of several texts is likelier after a prompt: classification without training. The prompt is computed once.
 *
 *   prompt, length  what all choices follow
 *   choices, count  the texts as they follow it (zero-terminated); a word after a word begins with a space
 *   scores          receives `count` scores
 *
 * Errors: QED_ERROR_HANDLE, QED_ERROR_BUSY, QED_ERROR_ARGUMENT, QED_ERROR_STATE (no tokenizer), QED_ERROR_CONTEXT. Threads: one
 * call at a time.
 */
QED_API int32_t qed_choose(qed_session *session, const char *prompt, size_t length, const char *const *choices, size_t count,
                           qed_choice *scores);

#ifdef __cplusplus
}
#endif

#endif
