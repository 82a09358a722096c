"""What the script of a run is put together from: stretches of plain Keras, as text.

Where a text has names in double brackets, `core.training.codegen.script` puts something in their place.
"""

DECODE = '''
def decode(file):
    """The middle square of a photo, upright, transparent parts white, scaled with antialiasing: (SIDE, SIDE, 3)."""
    with Image.open(file) as image:
        image.draft(None, (3 * SIDE // 2, 3 * SIDE // 2))
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.has_transparency_data:
            layer, image = image.convert("RGBA"), Image.new("RGB", image.size, "white")
            image.paste(layer, mask=layer.getchannel("A"))
        if image.mode not in ("L", "RGB"):
            image = image.convert("RGB")
        side, (width, height) = min(image.size), image.size
        box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box, reducing_gap=2.0)
        return np.array(image.convert("RGB"))
'''

PHOTOS = """
# The photos and their classes, for each part.
with open(HERE / "split.csv", encoding="utf-8-sig", newline="") as file:
    rows = [[ROWS]]
names = sorted({row["class"] for row in rows})
photos, labels = {}, {}
for part in ("training", "validation", "test"):
    chosen = [row for row in rows if row["part"] == part]
    photos[part] = np.stack([decode(DATASET / row["file"]) for row in chosen])
    labels[part] = np.array([names.index(row["class"]) for row in chosen])
"""

ALL_ROWS = "list(csv.DictReader(file))"
ROWS_BUT = '[row for row in csv.DictReader(file) if row["file"] not in LEFT_OUT]'

DIGESTS = """
    if part == "training":
        files = [(DATASET / row["file"]).read_bytes() for row in chosen]
        digests = [hashlib.blake2b(content, digest_size=16).digest() for content in files]
"""

TARGETS = """
targets = {part: np.eye(len(names), dtype=np.float32)[labels[part]] for part in labels}
"""

SMOOTHED = """
targets["training"] = targets["training"] * np.float32(1 - SMOOTHING) + np.float32(SMOOTHING / len(names))
"""

CLASS_WEIGHTS = """
counts = np.bincount(labels["training"])
class_weights = {label: len(labels["training"]) / (len(names) * int(count)) for label, count in enumerate(counts)}
"""

CHANGE_BEGINS = '''
def changed(given):
    """A photo changed at random; what becomes of it follows from its seed alone."""
    photo, draws = given[0], Draws(given[1])
'''

CHANGE_WARPS = """
    matrix, moved = tf.eye(3), tf.constant(False)  # all that moves pixels is done in one
    for move in [[WARPS]]:
        strength, probability = AUGMENTATIONS[move.__name__].values()
        takes_part = draws.uniform(0, 1) < probability
        own = move(SIDE, strength, draws)
        matrix, moved = matrix @ tf.where(takes_part, own, tf.eye(3)), moved | takes_part
    photo = tf.cond(moved, lambda: tf.clip_by_value(warp(photo, matrix), 0, 255), lambda: photo)
"""

CHANGE_OTHERS = """
    for change in [[OTHERS]]:
        strength, probability = AUGMENTATIONS[change.__name__].values()
        new = tf.clip_by_value(change(photo, strength, Draws(draws.seeds(1)[0])), 0, 255)
        photo = new if probability == 1 else tf.where(draws.uniform(0, 1) < probability, new, photo)
"""

CHANGE_ENDS = '''
    return photo


@tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3)), tf.TensorSpec((None, 2), tf.int64)])
def change_all(originals, seeds):
    """Each of these photos changed, each by its own seed."""
    return tf.map_fn(changed, (originals, seeds), fn_output_signature=tf.float32)


def augmented(chosen, version):
    """These training photos in one of their versions: the same photo and number always give the same version."""
    name = json.dumps({"augmentations": AUGMENTATIONS, "seed": SEED, "version": version}, sort_keys=True).encode()
    drawn = b"".join(hashlib.blake2b(digests[i] + name, digest_size=8).digest() for i in chosen)
    seeds = np.frombuffer(drawn, "<u4").reshape(-1, 2).astype(np.int64)
    return change_all(photos["training"][chosen].astype(np.float32), seeds).numpy()
'''

COMPUTED_AUGMENTED = '''
def computed(below, version):
    """What the frozen part makes of one version of the training photos; in half precision, as the run kept it."""
    every = np.arange(len(photos["training"]))
    batches = [every[start : start + 32] for start in range(0, len(every), 32)]
    return np.concatenate([below.predict_on_batch(augmented(batch, version)) for batch in batches]).astype(np.float16)
'''

BASELINE = """
# The network.
keras.utils.set_random_seed(SEED)
photo = keras.Input((SIDE, SIDE, 3))
x = keras.layers.Rescaling(1 / 255)(photo)
for _ in range(3):
    x = keras.layers.Conv2D(32, 3, activation="relu")(x)
    x = keras.layers.MaxPooling2D()(x)
x = keras.layers.Flatten()(x)
x = keras.layers.Dense(128, activation="relu")(x)
"""

APPLICATION = """
# The network.
keras.utils.set_random_seed(SEED)
photo = keras.Input((SIDE, SIDE, 3))
[[PREPARED]]backbone = keras.applications.[[FUNCTION]](include_top=False, weights=[[WEIGHTS]], input_tensor=[[PIXELS]])
x = backbone.output
"""

LOADED = """
backbone.load_weights(WEIGHTS)
"""

NORMALISED = """
norm = next(layer for layer in backbone.layers if isinstance(layer, keras.layers.Normalization))
norm.adapt_mean.assign([0.485, 0.456, 0.406])  # ImageNet's, where Keras' file has the deviation for the variance
norm.adapt_variance.assign(np.square([0.229, 0.224, 0.225]))
norm.finalize_state()
"""

PREPARED = {
    "inside": "",
    "symmetric": """
pixels = keras.layers.Rescaling(1 / 127.5, offset=-1)(photo)
""",
    "caffe": """
mean = (-103.939, -116.779, -123.68)  # of blue, green and red
pixels = keras.layers.Rescaling(1.0, offset=mean)(keras.ops.flip(photo, axis=-1))
""",
}
"""What is done to pixels before a network of keras.applications, by `Backbone.preprocessing`."""

LITE = '''
def normed(x, relu=True):
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU(6.0)(x) if relu else x


def conv(x, name, filters, kernel=1, stride=1):
    return keras.layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=name[[INITIAL]])(x)


def efficientnet_lite(photo):
    """As EfficientNet, with ReLU6 and without squeeze-and-excitation; keras.applications does not have it."""
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128)(photo)
    x = normed(conv(x, "stem_conv", 32, 3, 2))
    for stage, (blocks, kernel, stride, expand, filters) in enumerate(STAGES, 1):
        for block in range(blocks):
            before, name, step = x, f"block{stage}{chr(97 + block)}", stride if block == 0 else 1
            if expand > 1:
                x = normed(conv(x, f"{name}_expand_conv", expand * x.shape[-1]))
            depthwise = keras.layers.DepthwiseConv2D(
                kernel, step, "same", use_bias=False, name=f"{name}_dwconv"[[DEPTH]]
            )
            x = normed(depthwise(x))
            x = normed(conv(x, f"{name}_project_conv", filters), relu=False)
            if block > 0:
                x = keras.layers.Dropout(0.1, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
                x = keras.layers.Add()([x, before])
    return normed(conv(x, "top_conv", 1280))
'''

LITE_INITIALIZER = """
FIRST = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
"""

LITE_BUILT = """
# The network.
keras.utils.set_random_seed(SEED)
photo = keras.Input((SIDE, SIDE, 3))
x = efficientnet_lite(photo)
"""

LITE_LOADED = """
arrays = np.load(HERE / WEIGHTS)
keras.Model(photo, x).set_weights([arrays[name] for name in arrays.files])
"""

POOLED = """
x = keras.layers.[[POOLING]]()(x)
"""

HEAD_NORM = """
x = keras.layers.BatchNormalization(name="head_norm")(x)
"""

HEAD_DROPOUT = """
x = keras.layers.Dropout(DROPOUT, seed=SEED, name="head_dropout")(x)
"""

HEAD = """
first_weights = keras.initializers.GlorotUniform(seed=SEED)
x = keras.layers.Dense(len(names), activation="softmax", kernel_initializer=first_weights, name="head")(x)
model = keras.Model(photo, x)
"""

DROPS = """
# What is left out at random depends on the seed alone.
drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
for number, layer in enumerate(drops):
    layer.seed_generator.state.assign([SEED + number, 0])
"""

SCRATCH_DROPS = """
blocks = list(dict.fromkeys(layer.name[:7] for layer in model.layers if layer.name.startswith("block")))
for layer in model.layers:
    if layer.name.endswith("_drop"):  # a whole block is skipped now and then, the deeper the more often
        layer.rate = DROP_CONNECT * blocks.index(layer.name[:7]) / len(blocks)
"""

PLACE = '''
def place(name):
    """The position of the first layer whose name begins so."""
    return next(i for i, layer in enumerate(model.layers) if layer.name.startswith(name))
'''

UNFREEZE = '''
def unfreeze(first):
    """Let learn what comes from this layer on, but never the backbone's BatchNorm."""
    start = place(first)
    for position, layer in enumerate(model.layers):
        frozen = isinstance(layer, keras.layers.BatchNormalization) and layer.name != "head_norm"
        layer.trainable = position >= start and not frozen
'''

UNFREEZE_DROPS = """
        if layer.name.endswith("_drop"):  # a whole block is skipped now and then, the deeper the more often
            depth = blocks.index(layer.name[:7]) / len(blocks)
            layer.rate = DROP_CONNECT * depth if position >= start else 0
"""

UNFREEZE_BLOCKS = """
    blocks = list(dict.fromkeys(layer.name[:7] for layer in model.layers if layer.name.startswith("block")))
"""

MIX_BEGINS = '''
def mixed(images, truth, epoch, number):
    """[[WORDS]]"""
    random = np.random.default_rng((SEED, epoch, number))
'''

MIX_KIND = """
    kind = random.integers(2)
"""

MIX_SHARES = """
    shares = random.beta([[ALPHA]], [[ALPHA]], len(images)).astype(np.float32)
    partners = random.permutation(len(images))
"""

MIXUP = """
    shares = shares.reshape(-1, 1, 1, 1)
    images, shares = images * shares + images[partners] * (1 - shares), shares.reshape(-1, 1)
"""

CUTMIX = """
    images, others = images.copy(), images[partners]
    for i, share in enumerate(shares):
        (top, bottom), (left, right) = stretch(share, random), stretch(share, random)
        images[i, top:bottom, left:right] = others[i, top:bottom, left:right]
        shares[i] = 1 - (bottom - top) * (right - left) / SIDE**2
    shares = shares.reshape(-1, 1)
"""

MIX_ENDS = """
    return images, truth * shares + truth[partners] * (1 - shares)
"""

STRETCH = '''
def stretch(share, random):
    """From where to where a rectangle reaches that leaves this share of the photo as it is."""
    middle, half = int(random.integers(SIDE)), round(SIDE * float(np.sqrt(1 - share)) / 2)
    return max(0, middle - half), min(SIDE, middle + half)
'''

COSINE = '''
def rate(step, steps, peak):
    """The learning rate falls from its peak to 0 along half a cosine wave."""
    return peak * 0.5 * (1 + math.cos(math.pi * step / steps))
'''

COSINE_WARM = '''
def rate(step, steps, peak):
    """The learning rate rises over the warm-up, then falls to 0 along half a cosine wave."""
    warm = min(WARM_UP * STEPS, steps - 1)
    if step < warm:
        return peak * (step + 1) / (warm + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
'''

WARM = '''
def rate(step, steps, peak):
    """The learning rate rises over the warm-up, then stays."""
    warm = min(WARM_UP * STEPS, steps - 1)
    return peak * (step + 1) / (warm + 1) if step < warm else peak
'''

SWAP = '''
def swap_averages(optimizer):
    """Exchange the weights with their moving averages, which are what is validated; twice is as before."""
    for weight, average in zip(optimizer._trainable_variables, optimizer._model_variables_moving_average):
        weight_now, average_now = weight.numpy(), average.numpy()
        weight.assign(average_now)
        average.assign(weight_now)
'''

ENDS = """
# The best weights, tested once.
model.set_weights(best_weights)
right = model.predict(photos["test"], batch_size=32, verbose=0).argmax(1) == labels["test"]
print(f"Test: {right.mean():.4f} ({right.sum()} of {len(right)} photos)")
metrics = {"validations": history, "test_accuracy": float(right.mean())}
(HERE / "metrics.json").write_text(json.dumps(metrics, indent=1), "utf-8")
model.save(HERE / "model.keras")
"""
